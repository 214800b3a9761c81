package watchdog

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Manager is the service manager that has started camd. If there is none, its methods do
// nothing.
type Manager struct {
	socket string        // empty: there is none
	every  time.Duration // the longest time between two feedings; 0: none is needed
	log    *slog.Logger
	once   sync.Once // over ready
}

// New reads the variables that the service manager has set: NOTIFY_SOCKET, WATCHDOG_USEC and
// WATCHDOG_PID (sd_notify(3), sd_watchdog_enabled(3)).
func New(getenv func(string) string, pid int, log *slog.Logger) (*Manager, error) {
	m := &Manager{socket: getenv("NOTIFY_SOCKET"), log: log.With("component", "watchdog")}
	if m.socket == "" {
		return m, nil
	}
	if !strings.HasPrefix(m.socket, "/") && !strings.HasPrefix(m.socket, "@") {
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q: it must be a path, or a name that begins with @", m.socket)
	}
	usec, of := getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID")
	if usec == "" || of != "" && of != strconv.Itoa(pid) {
		return m, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(24*time.Hour/time.Microsecond) {
		return nil, fmt.Errorf("WATCHDOG_USEC is %q: it must be a number of microseconds, of a day at most", usec)
	}
	m.every = time.Duration(n) * time.Microsecond
	return m, nil
}

// patience bounds the wait for a service manager that does not read.
const patience = time.Second

// Stopping tells the service manager that camd is stopping. The watchdog needs no feeding
// after that.
func (m *Manager) Stopping() { m.tell("STOPPING=1", "STATUS=Stopping.") }

// tell sends one datagram. camd goes on even if the service manager does not take it.
func (m *Manager) tell(lines ...string) {
	if m.socket == "" {
		return
	}
	c, err := net.Dial("unixgram", m.socket) // @ is the abstract namespace for net, too
	if err != nil {
		m.log.Warn("the service manager can't be told", "error", err)
		return
	}
	defer c.Close()                                  //nolint:errcheck // a datagram was sent, or not
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // if that fails, the write says so
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		m.log.Warn("the service manager can't be told", "error", err)
	}
}

// Part is a required part of camd; see Loop.Turn.
type Part interface {
	fmt.Stringer
	Turn(ctx context.Context) error
}

// Watch is the component that feeds the watchdog while its parts make progress.
type Watch struct {
	manager *Manager
	parts   []Part
}

// Watch returns the component that watches these parts.
func (m *Manager) Watch(parts ...Part) *Watch { return &Watch{m, parts} }

// String names the component.
func (*Watch) String() string { return "watchdog" }

// Run tells the service manager that camd has started when each part has answered once. Then
// it feeds the watchdog at half its time, after each part has answered again.
func (w *Watch) Run(ctx context.Context, ready func()) error {
	ready()
	for {
		if err := w.turn(ctx); err != nil {
			return nil //nolint:nilerr // ctx has ended: nothing else ends the wait
		}
		w.manager.once.Do(func() { w.manager.tell("READY=1", "STATUS=Serving.") })
		if w.manager.every == 0 {
			<-ctx.Done()
			return nil
		}
		w.manager.tell("WATCHDOG=1")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.manager.every / 2):
		}
	}
}

// turn waits until each part has answered. It logs the names of those that hang.
func (w *Watch) turn(ctx context.Context) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var waiting []string // under mu
	for _, p := range w.parts {
		waiting = append(waiting, p.String())
	}
	for _, p := range w.parts {
		wg.Go(func() {
			if p.Turn(ctx) == nil {
				mu.Lock()
				defer mu.Unlock()
				waiting = slices.DeleteFunc(waiting, func(name string) bool { return name == p.String() })
			}
		})
	}
	if every := w.manager.every; every > 0 {
		defer time.AfterFunc(every/4, func() {
			mu.Lock()
			defer mu.Unlock()
			if len(waiting) == 0 {
				return // the last one has just answered
			}
			hang := strings.Join(waiting, ", ")
			w.manager.log.Error("a part is stuck: camd will be restarted unless it goes on", "parts", hang)
			w.manager.tell("STATUS=These parts are stuck: " + hang + ".")
		}).Stop()
	}
	wg.Wait()
	return ctx.Err()
}
