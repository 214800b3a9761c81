package audio

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/media"
)

// Voice is the one remote voice that the room hears.
type Voice struct {
	ctx     context.Context // ends when the holder closes the voice
	cancel  context.CancelFunc
	jitter  atomic.Pointer[Jitter] // nil while an announcement plays
	dropped atomic.Int64           // packets that came meanwhile
	spoke   atomic.Int64           // capture clock when somebody spoke last
	done    chan struct{}
	err     error // set before done is closed

	// Only the goroutine of Speaker.Run uses these.
	fresh   func() Jitter
	limiter *dynamics.Limiter
	past    jitter.Stats // of the buffers before the last announcement
}

func newVoice(ctx context.Context, fresh func() Jitter) *Voice {
	v := &Voice{done: make(chan struct{}), fresh: fresh}
	v.ctx, v.cancel = context.WithCancel(ctx)
	v.spoke.Store(int64(media.Now()))
	v.hush(false)
	return v
}

// Packet adds a packet of RTP (RFC 7587). It copies the payload and never blocks.
func (v *Voice) Packet(seq uint16, timestamp uint32, payload []byte) {
	j := v.jitter.Load()
	if j == nil {
		v.dropped.Add(1)
		return
	}
	(*j).Put(seq, timestamp, payload, media.Now())
}

// Silent returns for how long nobody has spoken.
func (v *Voice) Silent() time.Duration { return media.Now() - time.Duration(v.spoke.Load()) }

// Done returns a channel that is closed when nothing of the voice is heard any more.
func (v *Voice) Done() <-chan struct{} { return v.done }

// Err returns, after Done, the error of the card; nil if the voice was closed or its
// context ended.
func (v *Voice) Err() error {
	select {
	case <-v.done:
		return v.err
	default:
		return nil
	}
}

// Close ends the voice and returns when nothing of it is heard any more. It may be
// called more than once, and not from SpeakerDeps.Tap.
func (v *Voice) Close() {
	v.cancel()
	<-v.done
}

// hush drops packets while an announcement plays. Packets from before it are not heard
// after it.
func (v *Voice) hush(on bool) {
	if on {
		v.retire()
		return
	}
	j := v.fresh()
	v.limiter = dynamics.NewLimiter(ceiling)
	v.jitter.Store(&j)
}

// retire removes the buffer, and adds up its statistics.
func (v *Voice) retire() {
	j := v.jitter.Swap(nil)
	if j == nil {
		return
	}
	n := (*j).Stats()
	v.past.Received += n.Received
	v.past.Lost += n.Lost
	v.past.Garbled += n.Garbled
	v.past.Overflow += n.Overflow
	v.past.Concealed += n.Concealed
}

func (v *Voice) finish(err error, log *slog.Logger) {
	v.cancel()
	v.retire()
	v.err = err
	log.Info("voice ended", "packets", v.past.Received, "lost", v.past.Lost, "garbled", v.past.Garbled,
		"overflow", v.past.Overflow, "concealed", v.past.Concealed, "during_announcements", v.dropped.Load())
	close(v.done)
}
