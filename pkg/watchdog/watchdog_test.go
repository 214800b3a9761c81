package watchdog

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// manager plays systemd: it reads what it is told without ever waiting, so that time in a
// bubble goes on.
type manager struct {
	t    *testing.T
	path string
	fd   int
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	})
	return &manager{t, path, int(f.Fd())}
}

// told returns what came since the last call.
func (m *manager) told() (l []string) {
	m.t.Helper()
	b := make([]byte, 4096)
	for {
		n, _, err := syscall.Recvfrom(m.fd, b, syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) {
			return l
		}
		if err != nil {
			m.t.Fatal(err)
		}
		l = append(l, strings.Split(string(b[:n]), "\n")...)
	}
}

func (m *manager) env(more ...string) func(string) string {
	env := map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "60000000"}
	for _, s := range more {
		k, v, _ := strings.Cut(s, "=")
		env[k] = v
	}
	return func(k string) string { return env[k] }
}

// part is one with a loop, which can hang.
type part struct {
	name  string
	turns Loop
	hang  chan struct{} // what is sent into it makes the loop wait for another one
}

func newPart(name string) part { return part{name, NewLoop(), make(chan struct{})} }

func (p part) String() string                 { return p.name }
func (p part) Turn(ctx context.Context) error { return p.turns.Turn(ctx) }

// run is a loop with other work to wait for.
func (p part) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case turned := <-p.turns:
			turned()
		case <-p.hang:
			select {
			case <-p.hang:
			case <-ctx.Done():
				return
			}
		}
	}
}

// watched runs f beside a watchdog that looks after two parts.
func watched(t *testing.T, f func(m *manager, a, b part)) {
	t.Helper()
	m := newManager(t)
	synctest.Test(t, func(t *testing.T) {
		sd, err := New(m.env(), 1, quiet)
		if err != nil {
			t.Fatal(err)
		}
		a, b := newPart("a"), newPart("b")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := sd.Watch(a, b).Run(ctx, func() {}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if l := m.told(); l != nil {
			t.Errorf("told %q before any part runs", l)
		}
		wg.Go(func() { a.run(ctx) })
		synctest.Wait()
		if l := m.told(); l != nil {
			t.Errorf("told %q before each part runs", l)
		}
		wg.Go(func() { b.run(ctx) })
		synctest.Wait()
		if l := m.told(); !slices.Equal(l, []string{"READY=1", "STATUS=Serving.", "WATCHDOG=1"}) {
			t.Errorf("told %q when all run", l)
		}
		f(m, a, b)
		cancel()
		sd.Stopping()
		wg.Wait()
		if l := m.told(); !slices.Equal(l, []string{"STOPPING=1", "STATUS=Stopping."}) {
			t.Errorf("told %q at the end", l)
		}
	})
}

// Parts that wait for work, however long, are fed at half the time.
func TestAWaitIsProgress(t *testing.T) {
	watched(t, func(m *manager, _, _ part) {
		for range 100 {
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if l := m.told(); !slices.Equal(l, []string{"WATCHDOG=1"}) {
				t.Fatalf("told %q within half the time", l)
			}
		}
	})
}

// A part whose loop does not turn stops the feeding, by name, until it turns again.
func TestAPartThatHangsIsNotFed(t *testing.T) {
	watched(t, func(m *manager, _, b part) {
		b.hang <- struct{}{}
		var l []string
		for range 20 {
			time.Sleep(30 * time.Second)
			synctest.Wait()
			l = append(l, m.told()...)
		}
		if !slices.Equal(l, []string{"STATUS=These parts are stuck: b."}) {
			t.Errorf("told %q while a part hangs", l)
		}
		b.hang <- struct{}{}
		synctest.Wait()
		if l := m.told(); !slices.Equal(l, []string{"WATCHDOG=1"}) {
			t.Errorf("told %q when it goes on", l)
		}
	})
}

// A loop that takes a question and does not come to an answer hangs, too.
func TestAnAnswerThatDoesNotComeIsAHang(t *testing.T) {
	l := NewLoop()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-l; cancel() }()
	if err := l.Turn(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Turn() = %v", err)
	}
}

func TestWithoutAWatchdogOnlyReadinessIsTold(t *testing.T) {
	for name, more := range map[string]string{"none": "WATCHDOG_USEC=", "of another process": "WATCHDOG_PID=2"} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			synctest.Test(t, func(t *testing.T) {
				sd, err := New(m.env(more), 1, quiet)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				a := newPart("a")
				go a.run(ctx)
				for range 2 { // a second epoch is no second start
					again, stop := context.WithCancel(ctx)
					go func() { done <- sd.Watch(a).Run(again, func() {}) }()
					time.Sleep(time.Hour)
					stop()
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				cancel()
				if l := m.told(); !slices.Equal(l, []string{"READY=1", "STATUS=Serving."}) {
					t.Errorf("told %q", l)
				}
			})
		})
	}
}

func TestWithoutAServiceManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sd, err := New(func(string) string { return "" }, 1, quiet)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sd.Watch(newPart("a")).Run(ctx, func() {}) }()
		time.Sleep(time.Hour)
		sd.Stopping()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A service manager that has gone holds nobody up.
func TestAServiceManagerThatHasGone(t *testing.T) {
	sd, err := New(func(k string) string {
		return map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "gone")}[k]
	}, 1, quiet)
	if err != nil {
		t.Fatal(err)
	}
	sd.Stopping()
}

func TestEnvironmentThatIsNone(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"another kind of socket": {"NOTIFY_SOCKET": "vsock:2:1"},
		"no number":              {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"},
		"zero":                   {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"},
		"centuries":              {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "9223372036854775807"},
	} {
		if _, err := New(func(k string) string { return env[k] }, 1, quiet); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
