package update_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/release"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

const compatible = "camd-test"

// manners is what an image does when it runs.
type manners struct {
	panics   bool // camd never starts
	crashes  bool // camd ends a minute after its start, and is started again
	blind    bool // no picture
	locked   bool // the store does not open
	selfTest error
	offline  bool // no broker
	deaf     bool // RAUC does not answer
}

// world is a camera with everything around it, all of it made up.
type world struct {
	t       *testing.T
	state   string
	machine *updatetest.Machine
	images  map[string]*manners // by version; none: it is well

	mu       sync.Mutex
	offer    *release.Offer
	asked    int
	answer   error // of the catalog, instead of an offer
	files    map[string][]byte
	steps    []proto.UpdateStep
	mute     bool // the household can't be told
	busy     bool
	hours    func(time.Time) bool
	free     uint64
	rate     int // of a download, in kbit/s
	requests int

	board  *health.Board
	parts  map[string]*health.Condition
	u      *update.Updater
	pid    int
	cutAt  int   // power goes at this effect; 0: never
	cuts   []int // and then again, so many effects later each
	effect int
	down   chan struct{} // closed when power goes or a restart begins
	once   *sync.Once
	dead   bool
}

var errPower = errors.New("power went")

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, state: t.TempDir(), images: map[string]*manners{}, files: map[string][]byte{}, free: 1 << 40,
		hours: func(time.Time) bool { return true },
	}
	w.machine = updatetest.NewMachine(compatible, "1.0.0")
	w.machine.Effect = w.power
	return w
}

// release publishes one.
func (w *world) release(version string, change ...func(*updatetest.File, *release.Offer)) {
	f := updatetest.File{Compatible: compatible, Version: version, Manifest: "manifest of " + version, Filler: strings.Repeat("x", 200_000)}
	o := release.Offer{Version: version, Compatible: compatible, Manifest: f.Manifest, Minimum: "1.0.0", Lowest: "1.0.0", Notes: "better", URL: "https://updates.test/" + version}
	for _, c := range change {
		c(&f, &o)
	}
	text := f.Bytes()
	sum := sha256.Sum256(text)
	o.Size, o.SHA256 = int64(len(text)), sum[:]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[o.URL], w.offer, w.answer = text, &o, nil
}

// set changes the world while it runs.
func (w *world) set(how func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how()
}

// power counts effects, and goes at the one that was chosen.
func (w *world) power() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errPower
	}
	w.effect++
	if w.effect == w.cutAt {
		w.dead = true
		if len(w.cuts) > 0 {
			w.cutAt, w.cuts = w.effect+w.cuts[0], w.cuts[1:]
		}
		w.once.Do(func() { close(w.down) })
		return errPower
	}
	return nil
}

func (w *world) Latest(context.Context) (release.Offer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	switch {
	case w.answer != nil:
		return release.Offer{}, w.answer
	case w.offer == nil:
		return release.Offer{}, release.ErrNone
	}
	return *w.offer, nil
}

func (w *world) Tell(s proto.UpdateStep) error {
	if err := w.power(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mute {
		return errors.New("the log is full")
	}
	if n := len(w.steps); n == 0 || w.steps[n-1] != s { // after a power cut it may come twice
		w.steps = append(w.steps, s)
	}
	return nil
}

func (w *world) Busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy
}

func (w *world) Quiet() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hours(time.Now())
}

// RoundTrip returns the server of bundles.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	text, ok := w.files[r.URL.String()]
	if !ok || r.Header.Get("Range") != "" {
		return nil, errors.New("no route to host")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Header: http.Header{}, Request: r}, nil
}

func (w *world) restart() error {
	if err := w.power(); err != nil {
		return err
	}
	w.once.Do(func() { close(w.down) })
	return nil
}

// live runs the machine for so long, and returns which version runs then.
func (w *world) live(long time.Duration) string {
	w.t.Helper()
	until := time.Now().Add(long)
	for range 50 {
		if w.start(time.Until(until)) {
			_, v := w.machine.Booted()
			return v
		}
		version := w.machine.Boot()
		for n := 0; version != "" && w.manners(version).panics && n < 10; n++ {
			version = w.machine.Boot()
		}
		if version == "" {
			w.t.Fatal("the machine starts a slot that holds no system")
		}
	}
	w.t.Fatal("the machine restarts for ever")
	return ""
}

func (w *world) manners(version string) *manners {
	if m := w.images[version]; m != nil {
		return m
	}
	return &manners{}
}

// start returns one start of the kernel: one camd after the other until the machine restarts,
// which it reports, or so much time has passed.
func (w *world) start(long time.Duration) (lasted bool) {
	w.mu.Lock()
	w.down, w.once, w.dead = make(chan struct{}), &sync.Once{}, false
	w.mu.Unlock()
	for range 20 {
		crashed, lasted := w.process(long)
		if !crashed {
			return lasted
		}
	}
	w.t.Fatal("camd ends and is started for ever")
	return false
}

// process returns one camd.
func (w *world) process(long time.Duration) (crashed, lasted bool) {
	w.t.Helper()
	_, version := w.machine.Booted()
	m := w.manners(version)
	w.pid++
	w.board = health.NewBoard(slog.New(slog.DiscardHandler))
	var slots update.Slots = w.machine
	if m.deaf {
		slots = deaf{}
	}
	u, err := update.Start(update.Config{URL: "https://updates.test", Anchors: "/anchors", IntervalHours: 6, RateKbit: w.rate, BrokerMinutes: 10}, slog.New(slog.DiscardHandler), w.board, update.Deps{
		Catalog: w, Slots: slots, Bundles: w.machine, Household: w, HTTP: &http.Client{Transport: w},
		SelfTest: func(context.Context) error { return m.selfTest }, Restart: w.restart,
		State: w.state, Version: version,
	}, w.machine.ID(), w.pid, w.power, w.free)
	if err != nil {
		w.t.Fatal(err)
	}
	if before := w.kept().Phase; before == "restarting" && w.offer != nil && version == w.offer.Version && !u.Trial() {
		w.t.Errorf("version %s is on trial, and the stores are not told so", version)
	}
	w.set(func() { w.u = u })
	w.parts = map[string]*health.Condition{}
	for part, broken := range map[string]bool{"camera": m.blind, "auth": m.locked, "broker": m.offline} {
		w.parts[part] = w.board.Condition(part)
		if broken {
			w.parts[part].Set(health.Failed, "broken")
		} else {
			w.parts[part].Set(health.OK, "")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx, func() {}) }()
	defer func() { cancel(); end(done) }()
	var crash <-chan time.Time
	if m.crashes {
		crash = time.After(3 * time.Second)
	}
	select {
	case <-w.down:
		return false, false
	case err := <-done:
		done <- err
		if !w.dead {
			w.t.Fatalf("Run() = %v", err)
		}
		return false, false
	case <-crash:
		return true, false
	case <-time.After(long):
		synctest.Wait()
		return false, true
	}
}

// told lists the kinds of the steps that the household was told.
func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var l []string
	for _, s := range w.steps {
		l = append(l, string(s.Kind))
	}
	return strings.Join(l, " ")
}

func (w *world) lowest() string {
	text, err := os.ReadFile(filepath.Join(w.state, "update", "lowest"))
	if err != nil {
		w.t.Error(err)
	}
	return strings.TrimSpace(string(text))
}

// kept returns the state as it lies in the folder.
func (w *world) kept() (s struct {
	Phase  string
	Failed []struct{ Version, Reason string }
	Retry  struct {
		Version string
		Count   int
	}
}) {
	text, err := os.ReadFile(filepath.Join(w.state, "update", "state.json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Error(err)
	}
	return s
}

// in runs a story in a bubble of its own.
func in(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	dir := t
	synctest.Test(t, func(t *testing.T) { w := newWorld(dir); w.t = t; story(t, w) })
}

// end waits for a Run; who waits again gets the same.
func end(done chan error) { done <- <-done }

// deaf is a RAUC that does not run.
type deaf struct{}

var errDeaf = errors.New("RAUC does not run")

func (deaf) Status(context.Context) (update.SlotStatus, error)       { return update.SlotStatus{}, errDeaf }
func (deaf) Install(context.Context, update.Bundle, func(int)) error { return errDeaf }
func (deaf) Mark(context.Context, update.Mark, string) error         { return errDeaf }

// updater returns the one that runs.
func (w *world) updater() *update.Updater {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.u
}
