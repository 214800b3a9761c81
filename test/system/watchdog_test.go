package system

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/test/rig"
)

// A camera that is well is fed as long as it runs, though it never reaches its broker:
// nothing starts it anew. Its end is told before it ends, and then nothing is fed.
func TestServiceManagerIsTold(t *testing.T) {
	r := rig.New(t, synthetic)
	r.StopBroker()
	path := filepath.Join(r.Dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing to lose
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	r.Start()
	if l := told(t, c); l[0] != "READY=1" {
		t.Errorf("told %q first", l)
	}
	for range 20 {
		if l := told(t, c); !slices.Equal(l, []string{"WATCHDOG=1"}) && !strings.HasPrefix(l[0], "STATUS=") {
			t.Errorf("told %q while all is well", l)
		}
	}
	if state := r.Condition("broker").State; state == "ok" {
		t.Errorf("the broker is %s", state)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("camd ended with %v", err)
	}
	for last := []string{""}; last[0] != "STOPPING=1"; { // what was told before its end
		last = told(t, c)
	}
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.Read(make([]byte, 1)); n > 0 {
		t.Error("told something after the end")
	}
}

// told waits for the next datagram.
func told(t *testing.T, c *net.UnixConn) []string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("nothing is told: %v", err)
	}
	return strings.Split(string(b[:n]), "\n")
}
