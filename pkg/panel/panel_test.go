package panel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/evdev"
)

// fakeDriver is a machine whose input devices come and go.
type fakeDriver struct {
	mu      sync.Mutex
	devices []evdev.Device
	open    map[string][]*fakeKeys // by path
}

func (d *fakeDriver) Devices() ([]evdev.Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.devices), nil
}

func (d *fakeDriver) Open(path string) (keys, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := &fakeKeys{events: make(chan evdev.Event, 64), closed: make(chan struct{}), gone: make(chan struct{})}
	d.open[path] = append(d.open[path], k)
	return k, nil
}

type fakeKeys struct {
	events       chan evdev.Event
	closed, gone chan struct{}
}

func (k *fakeKeys) Read() ([]evdev.Event, error) {
	select {
	case e := <-k.events:
		return []evdev.Event{e}, nil
	case <-k.gone:
		return nil, syscall.ENODEV
	case <-k.closed:
		return nil, os.ErrClosed
	}
}

func (k *fakeKeys) Close() error { close(k.closed); return nil } // twice would panic

// bench is a panel that runs in a synctest bubble on fake devices.
type bench struct {
	t      *testing.T
	driver *fakeDriver
	panel  *Panel
	board  *health.Board
	zero   time.Time
	calls  []string // what was done, and when
	said   []string // and when
	fail   error    // what the actions give back
	asks   bool     // somebody asks to speak
	talks  bool     // somebody speaks
	spoke  bool     // somebody did a moment ago
	audits bool     // it is spoken who the members are
	on     bool     // privacy mode
	stop   func()
}

const pairKey, privacyKey, bellKey = 353, 212, 256

func gpio() *fakeDriver {
	return &fakeDriver{devices: []evdev.Device{{Path: "/dev/input/event0", Name: "lid"}, {Path: "/dev/input/event1", Name: "gpio-keys"}}, open: map[string][]*fakeKeys{}}
}

func newBench(t *testing.T, cfg Config, d *fakeDriver) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := &bench{t: t, driver: d, board: health.NewBoard(log), zero: time.Now()}
	note := func(what string) error {
		b.calls = append(b.calls, fmt.Sprintf("%s at %v", what, time.Since(b.zero)))
		return b.fail
	}
	p, err := New(cfg, log, b.board, Actions{
		OpenWindow:    func(d time.Duration, name string) error { return note(fmt.Sprintf("window of %v for %s", d, name)) },
		TogglePrivacy: func(context.Context) (bool, error) { b.on = !b.on; return b.on, note("privacy") },
		Evict:         func(context.Context) error { return note("evict") },
		Reset:         func(context.Context) error { return note("reset") },
		Ring:          func(context.Context) error { return note("ring") },
		Audit:         func(context.Context) error { return note("audit") },
		Accept: func() bool {
			if b.asks {
				_ = note("accept")
			}
			return b.asks
		},
		EndTalk: func() bool {
			if b.talks {
				_ = note("hush")
			}
			return b.talks
		},
		Block: func() bool {
			if b.spoke {
				_ = note("block")
			}
			return b.spoke
		},
		StopPrompt: func() bool { was := b.audits; b.audits = false; return was },
		Say:        func(clip string) { b.said = append(b.said, fmt.Sprintf("%s at %v", clip, time.Since(b.zero))) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.driver, b.panel = d, p
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx, func() {}) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
		for _, l := range d.open {
			for _, k := range l {
				select {
				case <-k.closed:
				default:
					t.Error("a device is still open")
				}
			}
		}
	}
	synctest.Wait()
	return b
}

func both() Config { return Config{PairingButton: "gpio-keys/353", PrivacyButton: "gpio-keys/212"} }

func all() Config {
	c := both()
	c.BellButton = "gpio-keys/256"
	return c
}

// tap presses a key briefly, and waits until so long after the press.
func (b *bench) tap(key uint16, until time.Duration) {
	b.hold(key, 100*time.Millisecond)
	time.Sleep(until - 100*time.Millisecond)
}

// hold presses a key now and releases it after d.
func (b *bench) hold(key uint16, d time.Duration) {
	b.key(key, true)
	time.Sleep(d)
	b.key(key, false)
	synctest.Wait()
}

func (b *bench) key(key uint16, down bool) {
	b.driver.mu.Lock()
	defer b.driver.mu.Unlock()
	for _, k := range b.driver.open["/dev/input/event1"] {
		select {
		case k.events <- evdev.Event{At: time.Since(b.zero), Key: key, Down: down}:
		case <-k.closed:
		}
	}
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	synctest.Wait()
	if !slices.Equal(b.calls, want) {
		b.t.Errorf("done: %q, want %q", b.calls, want)
	}
}

func (b *bench) health(state health.State, reasons ...string) {
	b.t.Helper()
	synctest.Wait()
	s := b.board.Snapshot()[0]
	for _, r := range reasons {
		if !strings.Contains(s.Reason, r) {
			b.t.Errorf("health says %q, want it to say %q", s.Reason, r)
		}
	}
	if s.State != state || len(reasons) == 0 && s.Reason != "" {
		b.t.Errorf("health is %s %q, want %s", s.State, s.Reason, state)
	}
}

func TestGestures(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*bench)
		want []string
	}{
		"short":             {func(b *bench) { b.hold(pairKey, 300*time.Millisecond) }, nil},
		"two short ones":    {func(b *bench) { b.hold(pairKey, 300*time.Millisecond); b.hold(pairKey, 300*time.Millisecond) }, nil},
		"not quite long":    {func(b *bench) { b.hold(pairKey, 2*time.Second) }, nil},
		"pairing":           {func(b *bench) { b.hold(pairKey, 3*time.Second) }, []string{"window of 5m0s for owner at 3s"}},
		"pairing twice":     {func(b *bench) { b.hold(pairKey, 3*time.Second); b.hold(pairKey, 4*time.Second) }, []string{"window of 5m0s for owner at 3s", "window of 5m0s for owner at 7s"}},
		"evict":             {func(b *bench) { b.hold(pairKey, 10*time.Second) }, []string{"evict at 20s"}},
		"reset":             {func(b *bench) { b.hold(pairKey, 25*time.Second) }, []string{"reset at 35s"}},
		"stuck":             {func(b *bench) { b.key(pairKey, true); time.Sleep(24 * time.Hour) }, nil},
		"privacy":           {func(b *bench) { b.hold(privacyKey, 200*time.Millisecond) }, []string{"privacy at 200ms"}},
		"privacy, leant on": {func(b *bench) { b.hold(privacyKey, 30*time.Second) }, nil},
		"evict stopped": {func(b *bench) {
			b.hold(pairKey, 12*time.Second)
			time.Sleep(9 * time.Second)
			b.hold(pairKey, 100*time.Millisecond)
		}, nil},
		"stopped at the press, not at its end": {func(b *bench) {
			b.hold(pairKey, 12*time.Second)
			time.Sleep(9 * time.Second)
			b.hold(pairKey, 15*time.Second) // and this press means nothing else
		}, nil},
		"pairing after a stopped reset": {func(b *bench) {
			b.hold(pairKey, 20*time.Second)
			b.hold(pairKey, 5*time.Second)
			b.hold(pairKey, 5*time.Second)
		}, []string{"window of 5m0s for owner at 30s"}},
		"privacy does not stop a countdown": {func(b *bench) {
			b.hold(pairKey, 10*time.Second)
			b.hold(privacyKey, 500*time.Millisecond)
		}, []string{"privacy at 10.5s", "evict at 20s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, both(), gpio())
				c.do(b)
				time.Sleep(time.Minute)
				b.expect(c.want...)
				b.stop()
			})
		})
	}
}

func TestOneKeyForABareName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{PrivacyButton: "gpio-keys"}, gpio())
		b.hold(28, 100*time.Millisecond)
		b.expect("privacy at 100ms")
		b.health(health.OK)
		b.stop()
	})
}

func TestFailedActionsAreNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, both(), gpio())
		b.fail = errors.New("no")
		b.hold(pairKey, 10*time.Second)
		time.Sleep(10 * time.Second)
		b.hold(privacyKey, 0)
		b.expect("evict at 20s", "privacy at 20s")
		b.stop()
	})
}

func TestADeviceComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := gpio()
		present := d.devices
		d.devices = d.devices[:1]
		b := newBench(t, both(), d)
		b.health(health.Degraded, `No input device is called "gpio-keys": found "lid".`, "Correct pairing_button", "Correct privacy_button")
		for range 2 {
			d.mu.Lock()
			d.devices = present
			d.mu.Unlock()
			time.Sleep(lookEvery)
			b.health(health.OK)
			began := time.Since(b.zero)
			b.hold(privacyKey, 0)
			b.expect(fmt.Sprintf("privacy at %v", began))
			b.calls = nil
			b.key(pairKey, true) // and its release is never seen
			d.mu.Lock()
			d.devices = nil
			for _, k := range d.open["/dev/input/event1"][len(d.open["/dev/input/event1"])-2:] {
				close(k.gone)
			}
			d.mu.Unlock()
			time.Sleep(lookEvery)
			b.health(health.Degraded, "there is none at all")
		}
		b.stop()
	})
}

// Without its button nobody could stop the countdown.
func TestACountdownEndsWithItsButton(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := gpio()
		b := newBench(t, both(), d)
		b.hold(pairKey, 20*time.Second)
		time.Sleep(5 * time.Second)
		for _, k := range d.open["/dev/input/event1"] {
			close(k.gone)
		}
		time.Sleep(time.Minute)
		b.expect()
		b.stop()
	})
}

func TestTheEndOfRunIsNoAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, both(), gpio())
		b.hold(pairKey, 20*time.Second)
		time.Sleep(5 * time.Second)
		b.stop()
		time.Sleep(time.Minute)
		b.expect()
	})
}

func TestReasons(t *testing.T) {
	for name, c := range map[string]struct {
		devices []evdev.Device
		state   health.State
		want    []string
	}{
		"forbidden": {[]evdev.Device{{Path: "/dev/input/event0", Err: &fs.PathError{Op: "open", Path: "/dev/input/event0", Err: syscall.EACCES}}}, health.Degraded, []string{"group input", "privacy_button"}},
		"others":    {[]evdev.Device{{Name: "a"}, {Name: "b"}}, health.Degraded, []string{`found "a", "b".`}},
		"none":      {nil, health.Degraded, []string{"there is none at all"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{PrivacyButton: "gpio-keys"}, &fakeDriver{devices: c.devices, open: map[string][]*fakeKeys{}})
				b.health(c.state, c.want...)
				b.stop()
			})
		})
	}
	t.Run("no button", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, DefaultConfig(), gpio())
			b.health(health.OK, "No button is configured.")
			b.stop()
		})
	})
	if _, err := New(Config{PrivacyButton: "x/0"}, slog.New(slog.DiscardHandler), health.NewBoard(slog.New(slog.DiscardHandler)), Actions{}); !errors.Is(err, errConfig) {
		t.Errorf("New() = %v, want errConfig", err)
	}
}
