package lab

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/netif"
)

// The network that guest and host share; nothing leads out of it.
var (
	HostAddress  = netip.MustParsePrefix("10.9.0.1/24")
	GuestAddress = netip.MustParsePrefix("10.9.0.2/24")
)

// Namespace is a network namespace with a loopback and a TAP interface. It is
// bound to one thread; sockets and processes made by Do belong to it for ever.
type Namespace struct {
	tap  *os.File // of the TAP interface, which lives as long
	work chan func()
}

// NewNamespace makes a namespace. It needs root's rights, those of a user
// namespace included.
func NewNamespace() (*Namespace, error) {
	n := &Namespace{work: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		made <- n.enter()
		for f := range n.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		close(n.work)
		return nil, err
	}
	return n, nil
}

func (n *Namespace) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if err := netif.Up("lo"); err != nil {
		return err
	}
	const name = "tap0"
	fd, err := netif.Tap(name)
	if err != nil {
		return err
	}
	n.tap = os.NewFile(uintptr(fd), name)
	if err := netif.Address(name, HostAddress); err != nil {
		return err
	}
	return netif.Up(name)
}

// Do runs f on the namespace's thread and waits for it.
func (n *Namespace) Do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// Close ends the thread and with it, by their parent-death signal, the processes
// that Start began.
func (n *Namespace) Close() error {
	close(n.work)
	return n.tap.Close()
}
