package audio

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/media"
)

// Voice is the one remote voice that the room hears.
type Voice struct {
	ctx    context.Context // ends when the holder wants the voice to end
	cancel context.CancelFunc
	inbox  inbox
	spoke  atomic.Int64 // capture clock when somebody spoke last
	done   chan struct{}
	err    error // set before done is closed

	// The rest belongs to the goroutine of Speaker.Run.
	fresh    func() Jitter
	jitter   Jitter
	limiter  *dynamics.Limiter
	activity dynamics.Activity
	packet   packet
}

func newVoice(ctx context.Context, jitter func() Jitter) *Voice {
	v := &Voice{done: make(chan struct{}), fresh: jitter, jitter: jitter(), limiter: dynamics.NewLimiter(ceiling)}
	v.ctx, v.cancel = context.WithCancel(ctx)
	v.spoke.Store(int64(media.Now()))
	return v
}

// Packet takes a packet of RTP (RFC 7587). It never blocks: what doesn't fit is
// dropped and counted. The payload is copied.
func (v *Voice) Packet(seq uint16, timestamp uint32, payload []byte) {
	v.inbox.put(seq, timestamp, payload, media.Now())
}

// Silent tells for how long nobody has spoken.
func (v *Voice) Silent() time.Duration { return media.Now() - time.Duration(v.spoke.Load()) }

// Done is closed when the voice has ended: nothing of it is heard any more.
func (v *Voice) Done() <-chan struct{} { return v.done }

// Err tells, after Done, how the card failed; nil when the voice was closed or its
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

// next makes the next frame of the voice.
func (v *Voice) next(frame []int16) {
	for v.inbox.take(&v.packet) {
		v.jitter.Put(v.packet.seq, v.packet.timestamp, v.packet.data[:v.packet.size], v.packet.at)
	}
	clear(frame)
	if v.jitter.Get(frame) && v.activity.Speech(frame) {
		v.spoke.Store(int64(media.Now()))
	}
	v.limiter.Process(frame)
}

// hush drops what comes, while an announcement plays. What came before it isn't heard
// after it.
func (v *Voice) hush(on bool) {
	v.inbox.shut(on)
	if !on {
		v.jitter, v.limiter = v.fresh(), dynamics.NewLimiter(ceiling)
	}
}

func (v *Voice) finish(err error, log *slog.Logger) {
	v.cancel()
	v.err = err
	taken, dropped := v.inbox.counts()
	log.Info("voice ended", "packets", taken, "dropped", dropped)
	close(v.done)
}

// packet is one of RTP.
type packet struct {
	seq       uint16
	timestamp uint32
	at        time.Duration // capture clock when it came
	size      int
	data      [opus.MaxPacket]byte
}

// inboxSize is how many packets wait at most: 640 ms of voice, while Speaker.Run
// takes them every 20 ms.
const inboxSize = 32

// inbox hands packets from the network's goroutine to the card's.
type inbox struct {
	mu      sync.Mutex
	closed  bool
	waiting [inboxSize]packet
	first   int
	n       int
	taken   int
	dropped int // too large, empty, too many, or while it was closed
}

func (b *inbox) put(seq uint16, timestamp uint32, payload []byte, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.n == inboxSize || len(payload) == 0 || len(payload) > opus.MaxPacket {
		b.dropped++
		return
	}
	p := &b.waiting[(b.first+b.n)%inboxSize]
	p.seq, p.timestamp, p.at, p.size = seq, timestamp, at, copy(p.data[:], payload)
	b.n++
}

// take moves the oldest packet into p.
func (b *inbox) take(p *packet) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == 0 {
		return false
	}
	from := &b.waiting[b.first]
	p.seq, p.timestamp, p.at, p.size = from.seq, from.timestamp, from.at, copy(p.data[:], from.data[:from.size])
	b.first, b.n, b.taken = (b.first+1)%inboxSize, b.n-1, b.taken+1
	return true
}

// shut closes the inbox, and forgets what waits in it, or opens it again.
func (b *inbox) shut(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		b.dropped, b.n = b.dropped+b.n, 0
	}
	b.closed = on
}

func (b *inbox) counts() (taken, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken, b.dropped
}
