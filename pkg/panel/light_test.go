package panel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel/led"
)

// fakeLED is an LED that does as it is told, until something else drives it or it goes.
type fakeLED struct {
	mu     sync.Mutex
	on     bool
	broken error // what every call gives
	dead   bool  // it is never on
	zero   time.Time
	writes []string // what was written, and when
}

func (l *fakeLED) Set(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	l.on = on && !l.dead
	l.writes = append(l.writes, fmt.Sprintf("%v at %v", on, time.Since(l.zero)))
	return l.is(on)
}

func (l *fakeLED) Is(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	return l.is(on)
}

func (l *fakeLED) is(on bool) error {
	if l.on != on {
		return fmt.Errorf("%w: it is %v", led.ErrOther, l.on)
	}
	return nil
}

func (l *fakeLED) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// sysfs returns an LED in a folder with the shape of sysfs.
func sysfs(t *testing.T) led.LED {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"brightness": "0\n", "max_brightness": "255\n", "trigger": "[none] timer\n"} {
		if err := os.WriteFile(filepath.Join(dir, "x", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return led.Class(dir).LED("x")
}

// The fake keeps the contract of the real one.
func TestLEDsDoAsTheySay(t *testing.T) {
	for name, l := range map[string]ledDevice{"fake": &fakeLED{}, "sysfs": sysfs(t)} {
		for _, on := range []bool{true, true, false, true, false} {
			if err := l.Set(on); err != nil {
				t.Errorf("%s: Set(%v) = %v", name, on, err)
			}
			if err := l.Is(on); err != nil {
				t.Errorf("%s: Is(%v) = %v", name, on, err)
			}
			if err := l.Is(!on); !errors.Is(err, led.ErrOther) {
				t.Errorf("%s: Is(%v) = %v, want ErrOther", name, !on, err)
			}
		}
	}
}

func condition(t *testing.T, b *health.Board, want health.State, reasons ...string) {
	t.Helper()
	s := b.Snapshot()[0]
	for _, r := range reasons {
		if !strings.Contains(s.Reason, r) {
			t.Errorf("health says %q, want it to say %q", s.Reason, r)
		}
	}
	if s.State != want || len(reasons) == 0 && s.Reason != "" {
		t.Errorf("health is %s %q, want %s", s.State, s.Reason, want)
	}
}

func newIndicator(t *testing.T, cfg Config, l ledDevice) (*Indicator, *health.Board) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	board := health.NewBoard(log)
	i, err := NewIndicator(cfg, log, board)
	if err != nil {
		t.Fatal(err)
	}
	i.led = l
	return i, board
}

var lit = Config{LiveLED: "red:live"}

func TestTheLastSessionSwitchesTheLiveLEDOff(t *testing.T) {
	l := &fakeLED{}
	i, board := newIndicator(t, lit, l)
	for range 2 {
		if err := i.On(); err != nil {
			t.Fatal(err)
		}
	}
	i.keepOff() // leaves it on
	i.Off()
	if err := i.Lit(); err != nil || l.Is(true) != nil {
		t.Errorf("Lit() = %v with one session left; the LED is on: %v", err, l.Is(true))
	}
	i.Off()
	if l.Is(false) != nil || i.Lit() != nil {
		t.Errorf("Lit() = %v without a session; the LED is off: %v", i.Lit(), l.Is(false))
	}
	i.Off() // one too many is none
	if err := i.On(); err != nil || l.Is(true) != nil {
		t.Errorf("On() = %v", err)
	}
	condition(t, board, health.OK)
}

func TestALiveLEDThatDoesNotShine(t *testing.T) {
	l := &fakeLED{dead: true}
	i, board := newIndicator(t, lit, l)
	if err := i.On(); !errors.Is(err, led.ErrOther) {
		t.Errorf("On() = %v, want ErrOther", err)
	}
	if err := i.Lit(); err != nil {
		t.Errorf("Lit() = %v though nobody needs it", err)
	}
	i.keepOff() // that it can be dark is no good news
	condition(t, board, health.Failed, `"red:live"`, "does not stay", "Nobody can watch")
	l.change(func() { l.dead = false })
	if err := i.On(); err != nil {
		t.Errorf("On() = %v", err)
	}
	condition(t, board, health.OK)
	l.change(func() { l.on = false }) // by something else
	if err := i.Lit(); !errors.Is(err, led.ErrOther) {
		t.Errorf("Lit() = %v, want ErrOther", err)
	}
	condition(t, board, health.Failed, "something else drives it")
}

func TestTheLiveLEDIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLED{on: true, broken: &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}} // on: camd was killed
		i, board := newIndicator(t, lit, l)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx, func() {}) }()
		synctest.Wait()
		condition(t, board, health.Failed, `No LED is called "red:live"`, "Nobody can watch")
		if err := i.On(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("On() = %v, want ErrNotExist", err)
		}
		l.change(func() { l.broken = nil })
		time.Sleep(lookEvery)
		synctest.Wait()
		condition(t, board, health.OK)
		if err := l.Is(false); err != nil {
			t.Errorf("an LED that nobody needs: %v", err)
		}
		l.change(func() { l.broken = fs.ErrPermission })
		time.Sleep(lookEvery)
		synctest.Wait()
		condition(t, board, health.Failed, "udev")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

func TestABoardWithoutALiveLED(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		state health.State
		says  string
	}{
		"the maker says so": {Config{LiveLED: "none"}, health.OK, sayNoLED},
		"nobody says":       {Config{}, health.Degraded, "nothing at the device shows when someone watches"},
	} {
		t.Run(name, func(t *testing.T) {
			i, board := newIndicator(t, c.cfg, nil)
			if i.On() != nil || i.Lit() != nil {
				t.Error("without an LED nobody can watch")
			}
			i.Off()
			i.keepOff()
			condition(t, board, c.state, c.says)
		})
	}
}

func TestLEDsAreNamed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []Config{{LiveLED: "a/b"}, {StatusLED: ".."}, {LiveLED: "x", StatusLED: "x"}, {StatusLED: strings.Repeat("x", 64)}} {
		if _, err := NewIndicator(c, log, health.NewBoard(log)); !errors.Is(err, errConfig) {
			t.Errorf("NewIndicator(%+v) = %v, want errConfig", c, err)
		}
		if _, err := NewStatus(c, log, health.NewBoard(log), nil); !errors.Is(err, errConfig) {
			t.Errorf("NewStatus(%+v) = %v, want errConfig", c, err)
		}
	}
	if _, err := NewIndicator(Config{LiveLED: "none", StatusLED: "none"}, log, health.NewBoard(log)); err != nil {
		t.Errorf("NewIndicator() = %v", err)
	}
}

func TestScenes(t *testing.T) {
	for _, c := range []struct {
		scene Scene
		want  pattern
	}{
		{Scene{}, dark},
		{Scene{Online: true}, steady},
		{Scene{Online: true, Trouble: true}, trouble},
		{Scene{Trouble: true, Privacy: true}, privacy},
		{Scene{Privacy: true, Pairing: true}, pairing},
		{Scene{Pairing: true, Live: true}, live},
		{Scene{Pairing: true, Joined: true, Privacy: true}, joined},
		{Scene{Pairing: true, Joined: true, Working: true}, working},
		{Scene{Pairing: true, Joined: true, Working: true, Refused: true}, trouble},
		{Scene{Online: true, Live: true, Talk: true, Pairing: true, Trouble: true, Privacy: true}, talk},
	} {
		if got := c.scene.pattern(); !got.same(c.want) {
			t.Errorf("%+v shows %v, want %v", c.scene, got, c.want)
		}
	}
	for _, p := range []pattern{dark, steady, talk, live, pairing, joined, working, privacy, trouble} {
		if len(p)%2 != 0 || slices.Max(p) > time.Second || slices.Max(p) <= 0 {
			t.Errorf("%v is no pattern of parts up to a second", p)
		}
	}
}

// show runs a status LED in a bubble while the scene changes, and gives what was written.
func show(t *testing.T, l *fakeLED, scene *Scene, mu *sync.Mutex, script func(*health.Board)) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	board := health.NewBoard(log)
	s, err := NewStatus(Config{StatusLED: "green:status"}, log, board, func() Scene {
		mu.Lock()
		defer mu.Unlock()
		return *scene
	})
	if err != nil {
		t.Fatal(err)
	}
	l.zero = time.Now()
	s.led = l
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, func() {}) }()
	script(board)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestTheStatusLEDShowsTheScene(t *testing.T) {
	for name, c := range map[string]struct {
		scene Scene
		want  []string // in the first 1.4 s, and at the end
	}{
		"dark":    {Scene{}, []string{"false at 0s"}},
		"steady":  {Scene{Online: true}, []string{"true at 0s", "false at 1.4s"}},
		"pairing": {Scene{Pairing: true}, []string{"true at 0s", "false at 1s"}},
		"joined":  {Scene{Pairing: true, Joined: true}, []string{"true at 0s", "false at 500ms", "true at 1s", "false at 1.4s"}},
		"working": {Scene{Pairing: true, Working: true}, []string{"true at 0s", "false at 250ms", "true at 500ms", "false at 750ms", "true at 1s", "false at 1.25s"}},
		"live":    {Scene{Live: true}, []string{"true at 0s", "false at 900ms", "true at 1s", "false at 1.4s"}},
		"trouble": {Scene{Trouble: true}, []string{"true at 0s", "false at 100ms", "true at 250ms", "false at 350ms", "true at 1.25s", "false at 1.35s"}},
		"privacy": {Scene{Privacy: true}, []string{"true at 0s", "false at 50ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &fakeLED{}
				show(t, l, &c.scene, new(sync.Mutex), func(*health.Board) { time.Sleep(1400 * ms) })
				if !slices.Equal(l.writes, c.want) {
					t.Errorf("written: %q, want %q", l.writes, c.want)
				}
			})
		})
	}
}

func TestTheStatusLEDFollowsTheScene(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		l, scene := &fakeLED{}, Scene{Online: true}
		show(t, l, &scene, &mu, func(*health.Board) {
			time.Sleep(1500 * ms)
			mu.Lock()
			scene.Talk = true
			mu.Unlock()
			time.Sleep(800 * ms) // a second's part ends at 2 s, then it blinks
		})
		want := []string{"true at 0s", "false at 2.125s", "true at 2.25s", "false at 2.3s"}
		if !slices.Equal(l.writes, want) {
			t.Errorf("written: %q, want %q", l.writes, want)
		}
	})
}

func TestAStatusLEDThatFailsIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, scene := &fakeLED{broken: fs.ErrNotExist}, Scene{Online: true}
		show(t, l, &scene, new(sync.Mutex), func(b *health.Board) {
			synctest.Wait()
			condition(t, b, health.Degraded, `No LED is called "green:status"`, "status_led")
			l.change(func() { l.broken = nil })
			time.Sleep(lookEvery)
			synctest.Wait()
			condition(t, b, health.OK)
		})
		if want := []string{"true at 3s", "false at 3s"}; !slices.Equal(l.writes, want) {
			t.Errorf("written: %q, want %q", l.writes, want)
		}
	})
}

func TestNoStatusLED(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	board := health.NewBoard(log)
	s, err := NewStatus(Config{}, log, board, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, func() {}); err != nil || len(board.Snapshot()) != 0 {
		t.Errorf("Run() = %v with conditions %v", err, board.Snapshot())
	}
}
