package event

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Household tells its members. The entry of a ring is durable when Ring returns, and its
// notices are on their way.
type Household interface {
	Ring() (entry uint64, err error)
}

// Camera takes a picture of this moment: proto.PictureJPEG or proto.PictureMP4.
type Camera interface {
	Picture(ctx context.Context) (data []byte, kind string, err error)
}

// Demand has the camera prepare its picture until release is called: a media.Feed.
type Demand interface {
	Want() (release func())
}

// Chime sounds the bell at the device.
type Chime interface {
	Chime(ctx context.Context) error
}

// Light is the live light: On and Off count who needs it. Without it no picture is taken
// for a member.
type Light interface {
	On() error
	Off()
}

// Deps is what a ring and a snapshot need. Chime and Light may be nil.
type Deps struct {
	Household Household
	Camera    Camera
	Video     Demand
	Chime     Chime
	Light     Light
}

// Config says where events are kept.
type Config struct {
	Path  string // of the database
	Key   string // path of the file of the sealing key, made if it is not there; it goes with the epoch
	Epoch uint64 // of the household; what was kept under another one is wiped
	// Check judges the database before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

const (
	ringHold    = 2 * time.Minute
	ringQueue   = 4
	pictureTime = 5 * time.Second  // for the picture of a ring
	chimeTime   = 10 * time.Second // for the bell
	sweepEvery  = 5 * time.Second
)

// ring is a press of the bell that is one.
type ring struct {
	entry uint64 // 0: nobody was told
	at    time.Time
}

// Events is the doorbell. Its methods may be called from any goroutine.
type Events struct {
	log      *slog.Logger
	health   *health.Condition
	deps     Deps
	keeper   *keeper // nil: nothing can be kept
	rings    chan ring
	limiter  ringLimiter
	waiting  waiting
	sounding atomic.Bool // the bell sounds
}

// Open opens what was kept. That it can't be read keeps nobody from ringing: then the
// condition of health says so, and nothing is kept.
func Open(ctx context.Context, cfg Config, log *slog.Logger, board *health.Board, deps Deps) *Events {
	e := &Events{
		log: log.With("component", "event"), health: board.Condition("events"), deps: deps,
		limiter: ringLimiter{told: rate.NewLimiter(rate.Every(ringEvery), ringBurst)},
		rings:   make(chan ring, ringQueue), waiting: waiting{of: map[proto.ClientID]taken{}},
	}
	k, err := openKeeper(ctx, cfg, e.log)
	if err != nil {
		e.log.Error("events can't be kept", "error", err)
		e.health.Set(health.Degraded, "The last events can't be read or kept: the storage may be full or failing. The bell works.")
		return e
	}
	e.keeper = k
	e.health.Set(health.OK, "")
	return e
}

// Close ends the use of the store, after Run.
func (e *Events) Close() error {
	if e.keeper == nil {
		return nil
	}
	return e.keeper.close()
}

// String names the component.
func (e *Events) String() string { return "event" }

// Run does what rings ask for, until ctx ends.
func (e *Events) Run(ctx context.Context, ready func()) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	h := newHold(e.deps.Video)
	defer h.release()
	defer e.waiting.forget()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.rings:
			h.begin()
			wg.Go(func() { e.chime(ctx) })
			if r.entry != 0 {
				wg.Go(func() { e.attach(ctx, r) })
			}
		case <-h.over.C:
			h.release()
		case <-sweep.C:
			e.waiting.sweep(time.Now())
		}
	}
}

// hold keeps the camera wanted. It is Run's own.
type hold struct {
	video Demand
	over  *time.Timer
	end   func() // nil: not held
}

func newHold(video Demand) *hold {
	h := &hold{video: video, over: time.NewTimer(ringHold)}
	h.over.Stop()
	return h
}

// begin holds for ringHold from now on.
func (h *hold) begin() {
	if h.end == nil {
		h.end = h.video.Want()
	}
	h.over.Reset(ringHold)
}

func (h *hold) release() {
	h.over.Stop()
	if h.end != nil {
		h.end()
		h.end = nil
	}
}

// Forget drops the pictures that wait to be fetched, for privacy mode. Kept events stay.
func (e *Events) Forget() { e.waiting.forget() }
