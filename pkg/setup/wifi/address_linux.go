package wifi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kernelArrivals watches addresses through the kernel, whoever sets them, such as
// systemd-networkd.
//
// Source: rtnetlink(7).
type kernelArrivals struct {
	file  *os.File
	index uint32
}

// listen begins to watch the addresses of an interface.
func listen(name string) (arrivals, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("the interface %s is gone: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("listen for addresses: %w", err)
	}
	a := &kernelArrivals{os.NewFile(uintptr(fd), "rtnetlink"), uint32(i.Index)}
	for _, group := range []int{unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return nil, errors.Join(fmt.Errorf("listen for addresses: %w", err), a.file.Close())
		}
	}
	// The kernel sends only to sockets with a port, and assigns one at the first request. The
	// smallest is whether a link is there.
	m := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(m[0:], uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(m[unix.SizeofNlMsghdr+4:], a.index)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for addresses: %w", err), a.file.Close())
	}
	return a, nil
}

func (a *kernelArrivals) close() { _ = a.file.Close() }

// routeTime is how long to wait for a route after an address. Some networks have none.
const routeTime = 3 * time.Second

func (a *kernelArrivals) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Now()) })
	defer stop()
	b := make([]byte, 1<<16)
	for address, route := false, false; ; {
		n, err := a.file.Read(b)
		switch {
		case address && errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
			continue // some were lost; an address is reported again when it is renewed
		case err != nil:
			return fmt.Errorf("listen for addresses: %w", err)
		}
		newAddress, newRoute := a.among(b[:n])
		if newAddress && !address {
			address = true
			_ = a.file.SetReadDeadline(time.Now().Add(routeTime))
		}
		if route = route || newRoute; address && route {
			return nil
		}
	}
}

// among reports whether messages of the kernel have an address of the interface, and whether
// they have a route.
func (a *kernelArrivals) among(b []byte) (address, route bool) {
	l, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false, false
	}
	for _, m := range l {
		switch {
		case m.Header.Type == unix.RTM_NEWADDR && len(m.Data) >= unix.SizeofIfAddrmsg:
			flags, scope, index := m.Data[2], m.Data[3], binary.NativeEndian.Uint32(m.Data[4:])
			address = address || index == a.index && scope == unix.RT_SCOPE_UNIVERSE && flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
		case m.Header.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg:
			everything := m.Data[1] == 0 // bits of the destination
			route = route || everything && a.by(m)
		}
	}
	return address, route
}

// by reports whether a route uses the interface.
func (a *kernelArrivals) by(m syscall.NetlinkMessage) bool {
	l, err := syscall.ParseNetlinkRouteAttr(&m)
	return err == nil && slices.ContainsFunc(l, func(r syscall.NetlinkRouteAttr) bool {
		return r.Attr.Type == unix.RTA_OIF && len(r.Value) == 4 && binary.NativeEndian.Uint32(r.Value) == a.index
	})
}
