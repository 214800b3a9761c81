package event

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// house is everything that a ring needs, and writes down what came when.
type house struct {
	mu      sync.Mutex
	began   time.Time
	did     []step
	entries uint64
	wants   int
	fails   error // of the access log
	dark    error // of the light
	lit     atomic.Int32

	shows func(ctx context.Context, n int) ([]byte, error) // the n-th picture
	shown int
	rings time.Duration // how long the bell sounds
}

// step is what happened, and when.
type step struct {
	what string
	at   time.Duration
}

func (h *house) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, step{what, time.Since(h.began)})
}

// steps returns what happened so far.
func (h *house) steps() []step {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.did)
}

// wanted returns how often the camera is wanted now.
func (h *house) wanted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wants
}

func (h *house) count(what string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.did {
		if s.what == what {
			n++
		}
	}
	return n
}

func (h *house) Ring() (uint64, error) {
	if h.fails != nil {
		return 0, h.fails
	}
	h.note("told")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries++
	return h.entries, nil
}

func (h *house) Picture(ctx context.Context) ([]byte, string, error) {
	h.note("picture")
	h.mu.Lock()
	n := h.shown
	h.shown++
	h.mu.Unlock()
	data, err := h.shows(ctx, n)
	return data, proto.PictureJPEG, err
}

func (h *house) Want() func() {
	h.note("wanted")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wants++
	return sync.OnceFunc(func() {
		h.note("released")
		h.mu.Lock()
		defer h.mu.Unlock()
		h.wants--
	})
}

func (h *house) On() error {
	if h.dark != nil {
		return h.dark
	}
	h.note("light")
	h.lit.Add(1)
	return nil
}

func (h *house) Off() { h.lit.Add(-1) }

func (h *house) Chime(ctx context.Context) error {
	h.note("chime")
	select {
	case <-time.After(h.rings):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// ofSize shows pictures of n bytes.
func ofSize(n int) func(context.Context, int) ([]byte, error) {
	return func(_ context.Context, i int) ([]byte, error) {
		data := make([]byte, n)
		for j := range data {
			data[j] = byte(i + j) //nolint:gosec // its low bits
		}
		return data, nil
	}
}

// disk is where a device keeps things.
type disk struct{ Config }

func newDisk(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{Config{Path: filepath.Join(dir, "events.db"), Epoch: 1, Check: func(context.Context, string) error { return nil }}}
	d.newEpoch(t, 1)
	return d
}

// newEpoch gives the disk the folder of an epoch and removes those before.
func (d *disk) newEpoch(t *testing.T, epoch uint64) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(d.Path), string(rune('0'+epoch)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if d.Key != "" {
		if err := os.RemoveAll(filepath.Dir(d.Key)); err != nil {
			t.Fatal(err)
		}
	}
	d.Key, d.Epoch = filepath.Join(dir, "event.key"), epoch
}

// open begins a run on this disk.
func (d *disk) open(t *testing.T, h *house) *Events {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e := Open(t.Context(), d.Config, log, health.NewBoard(log), Deps{h, h, h, h, h})
	if e.keeper == nil {
		t.Fatalf("nothing can be kept: %s", e.health.Status().Reason)
	}
	h.began = time.Now()
	return e
}

// run has it serve until end is called.
func run(t *testing.T, e *Events) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, func() {}) }()
	return func() {
		t.Helper()
		cancel()
		if err := errors.Join(<-done, e.Close()); err != nil {
			t.Error(err)
		}
	}
}

func ringOnce(t *testing.T, e *Events) {
	t.Helper()
	if err := e.Ring(t.Context()); err != nil {
		t.Errorf("Ring() = %v", err)
	}
}

// listed returns the whole list, page by page.
func listed(t *testing.T, e *Events) (all []proto.Event) {
	t.Helper()
	for from := uint64(0); ; {
		a, err := e.Answer("anna", proto.EventsRequest{From: from})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a.Events...)
		if from = a.Next; from == 0 {
			return all
		}
	}
}

// fetched returns a whole picture, part by part.
func fetched(e *Events, client proto.ClientID, q proto.EventsRequest) (data []byte, err error) {
	for {
		q.Offset = len(data)
		a, err := e.Answer(client, q)
		if err != nil {
			return nil, err
		}
		if data = append(data, a.Part.Data...); len(data) >= a.Part.Size {
			return data, nil
		}
	}
}

func refused(err error) proto.Code {
	var r *proto.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}
