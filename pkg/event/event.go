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

// Household notifies its members. When Ring returns, the entry of the ring is durable, and
// its notices are on their way.
type Household interface {
	Ring() (entry uint64, err error)
}

// Camera takes a picture now; kind is proto.PictureJPEG or proto.PictureMP4.
type Camera interface {
	Picture(ctx context.Context) (data []byte, kind string, err error)
}

// Demand keeps the camera encoding until release is called; a media.Feed is one.
type Demand interface {
	Want() (release func())
}

// Chime plays the doorbell's chime at the device.
type Chime interface {
	Chime(ctx context.Context) error
}

// Indicator is the live indicator: On and Off count who needs it. Without it no picture is
// taken for a member.
type Indicator interface {
	On() error
	Off()
}

// Deps is what rings and snapshots need. Chime and Indicator may be nil.
type Deps struct {
	Household Household
	Camera    Camera
	Video     Demand
	Chime     Chime
	Indicator Indicator
}

// Config says where events are stored.
type Config struct {
	Path  string // of the database
	Key   string // path of the sealing key, created if it is missing; it is deleted with the epoch
	Epoch uint64 // of the household; events of another one are wiped
	// Check checks the database before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

const (
	warmTime    = 2 * time.Minute // the camera is kept ready after a ring
	ringQueue   = 4
	pictureTime = 20 * time.Second // for the picture of a ring
	pictureRest = time.Second      // between tries, when the camera gives none
	chimeTime   = 10 * time.Second // for the chime
	sweepEvery  = 5 * time.Second
)

// ring is a press of the doorbell that counts.
type ring struct {
	entry uint64 // in the access log; 0: there were too many rings to log this one
	at    time.Time
}

// Events is the doorbell. It is safe for concurrent use.
type Events struct {
	log      *slog.Logger
	health   *health.Condition
	deps     Deps
	keeper   *keeper // nil: nothing can be stored
	rings    chan ring
	limiter  ringLimiter
	waiting  waiting
	sounding atomic.Bool // the chime is being played
}

// Open opens the stored events. If that fails the doorbell works all the same: its health
// says so, and no events are stored.
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

// Close closes the database. Call it after Run has returned.
func (e *Events) Close() error {
	if e.keeper == nil {
		return nil
	}
	return e.keeper.close()
}

// String names the component.
func (e *Events) String() string { return "event" }

// Run serves rings until ctx ends.
func (e *Events) Run(ctx context.Context, ready func()) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	warm := &keepWarm{video: e.deps.Video, over: time.NewTimer(warmTime)}
	warm.over.Stop()
	defer warm.stop()
	defer e.waiting.forget()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.rings:
			warm.extend()
			wg.Go(func() { e.chime(ctx) })
			if r.entry != 0 {
				wg.Go(func() { e.attach(ctx, r) })
			}
		case <-warm.over.C:
			warm.stop()
		case <-sweep.C:
			e.waiting.sweep(time.Now())
		}
	}
}

// keepWarm keeps the camera encoding for a while after a ring. Only Run uses it.
type keepWarm struct {
	video   Demand
	over    *time.Timer
	release func() // nil: the camera is not wanted
}

// extend keeps the camera encoding for warmTime from now on.
func (k *keepWarm) extend() {
	if k.release == nil {
		k.release = k.video.Want()
	}
	k.over.Reset(warmTime)
}

func (k *keepWarm) stop() {
	k.over.Stop()
	if k.release != nil {
		k.release()
		k.release = nil
	}
}

// Forget drops the pictures that wait to be fetched, for privacy mode. Stored events stay.
func (e *Events) Forget() { e.waiting.forget() }
