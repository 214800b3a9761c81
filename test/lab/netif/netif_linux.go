// Package netif sets up network interfaces by ioctl, for a machine without the
// ip command and for namespaces that a test makes. It owns nothing and refuses
// what the kernel refuses.
package netif

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Up switches an interface on in the network namespace of the calling thread.
func Up(name string) error {
	return change(name, "switch on", func(fd int, r *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		r.SetUint16(r.Uint16() | unix.IFF_UP)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	})
}

// Address gives an interface an IPv4 address and the route to its network.
func Address(name string, at netip.Prefix) error {
	if err := setAddress(name, unix.SIOCSIFADDR, at.Addr()); err != nil {
		return err
	}
	mask := netip.MustParsePrefix("255.255.255.255/32").Addr()
	mask = netip.PrefixFrom(mask, at.Bits()).Masked().Addr()
	return setAddress(name, unix.SIOCSIFNETMASK, mask)
}

func setAddress(name string, request uint, a netip.Addr) error {
	return change(name, "set address of", func(fd int, r *unix.Ifreq) error {
		ip := a.As4()
		if err := r.SetInet4Addr(ip[:]); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, request, r)
	})
}

// Tap makes a TAP interface in the network namespace of the calling thread. The
// interface lives as long as the descriptor, which carries its Ethernet frames.
func Tap(name string) (fd int, err error) { return tunnel(name, unix.IFF_TAP) }

// Tun makes a TUN interface, whose descriptor carries IP packets, as Tap makes a TAP
// interface.
func Tun(name string) (fd int, err error) { return tunnel(name, unix.IFF_TUN) }

func tunnel(name string, kind uint16) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(kind | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		unix.Close(fd) //nolint:errcheck // the first error counts
		return -1, fmt.Errorf("make interface %s of /dev/net/tun: %w", name, err)
	}
	return fd, nil
}

// change runs a few ioctls about one interface.
func change(name, verb string, f func(fd int, r *unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket for ioctls: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	r, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("interface %q: %w", name, err)
	}
	if err := f(fd, r); err != nil {
		return fmt.Errorf("%s %s: %w", verb, name, err)
	}
	return nil
}
