package wifi

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAddresses: only an address with which others can be reached counts, on that interface,
// and one that is renewed counts as one that comes; then there is the way out, too.
func TestAddresses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("this machine lacks ip: scripts/setup.sh test installs it")
	}
	done := make(chan struct{})
	go func() { // its thread is in a namespace of its own, and ends with it
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		inNamespace(t)
	}()
	<-done
}

func inNamespace(t *testing.T) {
	ip := func(args string) {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Errorf("ip %s: %v: %s", args, err, out)
		}
	}
	ip("link add wlan0 type veth peer name eth0")
	ip("link set wlan0 up")
	ip("link set eth0 up")
	if _, err := listen("wlan1"); err == nil {
		t.Error("it listens at an interface that is not there")
	}
	a, err := listen("wlan0")
	if err != nil {
		t.Error(err)
		return
	}
	defer a.close()
	// What leads out comes after the address; a route elsewhere does not end the wait.
	comes := func(what, address, route string) {
		a, err := listen("wlan0")
		if err != nil {
			t.Error(err)
			return
		}
		defer a.close()
		ip("route replace default via 198.51.100.9 dev eth0")
		ip(address)
		ip(route)
		if err := a.wait(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ip("address add 198.51.100.1/24 dev eth0")
	ip("address add 192.0.2.1/24 dev eth0")
	ip("address add 169.254.1.1/16 scope link dev wlan0")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an address that is of no use: %v", err)
	}
	if addressed("wlan0") {
		t.Error("it has an address")
	}
	comes("the first", "address add 192.0.2.2/24 dev wlan0", "route add default via 192.0.2.1 dev wlan0 metric 9")
	comes("the same again", "address replace 192.0.2.2/24 dev wlan0", "route replace default via 192.0.2.1 dev wlan0 metric 8")
	comes("one of IPv6", "address add 2001:db8::1/64 dev wlan0 nodad", "route add default via 2001:db8::2 dev wlan0")
	if !addressed("wlan0") || addressed("wlan1") {
		t.Error("it has no address")
	}
}
