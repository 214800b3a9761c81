package audio

import (
	"errors"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/media"
)

// reader cuts a stream into frames and timestamps them.
type reader struct {
	in    stream
	clock timeline
	lost  *overruns

	read  int64  // samples since the stream began, or began again
	began anchor // when the first of them was captured
}

// patience is the number of xruns without a frame between them that make a fault.
const patience = 5

// next fills frame and returns its PTS. After an xrun it continues with new samples; the
// PTS then jumps over the gap.
func (r *reader) next(frame []int16) (time.Duration, error) {
	for range patience {
		delay, err := r.fill(frame)
		if err == nil {
			captured := media.Now() - lasting(int64(delay+len(frame)))
			r.began.note(captured - lasting(r.read))
			r.read += int64(len(frame))
			return r.clock.stamp(captured), nil
		}
		if !errors.Is(err, alsa.ErrXrun) {
			return 0, err
		}
		r.lost.count()
		r.clock, r.began, r.read = timeline{}, anchor{}, 0
		if err := r.in.Restart(); err != nil {
			return 0, err
		}
	}
	return 0, alsa.ErrXrun
}

// fill reads one frame and returns how many samples wait behind it.
func (r *reader) fill(frame []int16) (delay int, err error) {
	for len(frame) > 0 {
		n, err := r.in.Read(frame)
		if err != nil {
			return 0, err
		}
		frame = frame[n:]
	}
	return r.in.Delay()
}

// overruns counts how often samples were lost, and logs it at most every ten seconds.
type overruns struct {
	log    *slog.Logger
	n      int
	toldAt time.Time
}

func (o *overruns) count() {
	o.n++
	if time.Since(o.toldAt) >= 10*time.Second {
		o.log.Warn("samples lost", "overruns", o.n)
		o.toldAt = time.Now()
	}
}
