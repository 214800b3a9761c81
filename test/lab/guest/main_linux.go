// Command guest is the first process of the lab's guest: it mounts, loads modules,
// sets up the network, and does what the host asks over a virtio serial port. It
// owns every process of the guest. When the host asks for it, or something that it
// can't do without fails, the machine goes off.
package main

import (
	"fmt"
	"io"
	"net/netip"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
	"github.com/camd-project/camd/test/lab/kmod"
	"github.com/camd-project/camd/test/lab/netif"
)

// main's arguments are the words after "--" on the kernel's command line: the
// guest's address with its prefix length, and the time as seconds since 1970. Under an init
// that has done all that, it is started as a service, with the address only.
func main() {
	if slices.Equal(os.Args[1:], []string{agent.Busy}) {
		busy()
	}
	var err error
	if len(os.Args) == 3 && os.Args[1] == agent.UnderInit {
		err = serve(os.Args[2])
	} else {
		err = run(os.Args[1:])
	}
	fmt.Println("lab: guest ends:", err)
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("lab: power off:", err) // returning panics the kernel, which ends QEMU too
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want an address and a time, got %q", args)
	}
	if err := mount(); err != nil {
		return err
	}
	if err := setClock(args[1]); err != nil {
		return err
	}
	if err := kmod.Load("/" + agent.ModuleList); err != nil {
		return err
	}
	return serve(args[0])
}

// serve does what the host asks, until that is to end.
func serve(address string) error {
	if err := setNetwork(address); err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	g := &Guest{processes: map[string]*process{}, keyboards: map[string]*os.File{}, off: make(chan struct{})}
	server := rpc.NewServer()
	if err := server.RegisterName(agent.Service, g); err != nil {
		return err
	}
	fmt.Println("lab: ready")
	go server.ServeConn(port)
	<-g.off
	return io.EOF
}

func mount() error {
	for _, m := range []struct{ kind, at string }{
		{"devtmpfs", "/dev"}, {"devpts", "/dev/pts"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

func setClock(seconds string) error {
	var s int64
	if _, err := fmt.Sscan(seconds, &s); err != nil {
		return fmt.Errorf("read time %q: %w", seconds, err)
	}
	t := unix.NsecToTimeval(s * int64(time.Second))
	return unix.Settimeofday(&t)
}

func setNetwork(address string) error {
	at, err := netip.ParsePrefix(address)
	if err != nil {
		return err
	}
	if err := netif.Up("lo"); err != nil {
		return err
	}
	if err := netif.Address("eth0", at); err != nil {
		return err
	}
	return netif.Up("eth0")
}

// openPort opens the port to the host as soon as the driver has made its node.
func openPort() (*os.File, error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		nodes, err := filepath.Glob("/dev/vport*p*")
		if err != nil {
			return nil, err
		}
		if len(nodes) == 1 {
			return os.OpenFile(nodes[0], os.O_RDWR, 0)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d serial ports, want 1", len(nodes))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
