package jitter

import (
	"errors"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// Buffer is one talker's jitter buffer.
type Buffer struct {
	mu    sync.Mutex // guards queue; never held while decoding
	queue queue

	// What follows is Get's alone.
	decoder   *opus.Decoder
	packet    []byte
	line      line
	sound     int  // samples in line up to the last decoded one
	concealed bool // something was, for this frame
	concealer concealer
	activity  dynamics.Activity
}

// New makes an empty buffer.
func New() *Buffer {
	b := &Buffer{decoder: opus.NewDecoder(), packet: make([]byte, 0, maxPayload)}
	b.queue.delay.reset()
	return b
}

// Put takes an RTP packet's sequence number, timestamp (48 kHz, RFC 7587) and
// payload, which it copies, and the time of its arrival on any monotonic clock. It
// never blocks on anything but a Get that takes a packet out.
func (b *Buffer) Put(seq uint16, ts uint32, payload []byte, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue.put(seq, ts, payload, at)
}

// Get fills frame with the sound that is due, mono at 48 kHz: call it for every 20
// ms that the loudspeaker plays, from one goroutine. It reports whether somebody
// speaks in it; concealment and background noise are nobody.
func (b *Buffer) Get(samples []int16) (voiced bool) {
	for len(samples) > 0 {
		n := min(len(samples), frame)
		voiced = b.get(samples[:n]) || voiced
		samples = samples[n:]
	}
	return voiced
}

func (b *Buffer) get(samples []int16) bool {
	b.fill(len(samples))
	changed := b.adjust()
	b.fill(len(samples))
	copy(samples, b.line.samples())
	b.line.drop(len(samples))
	decoded := b.sound > 0
	b.sound = max(0, b.sound-len(samples))
	b.account(changed)
	return b.activity.Speech(samples) && decoded
}

func (b *Buffer) fill(n int) {
	for b.line.len() < n {
		b.make()
	}
}

// make adds the next step's sound to the line.
func (b *Buffer) make() {
	b.mu.Lock()
	next := b.queue.take(b.packet)
	b.mu.Unlock()
	if next.packet != nil && b.decode(next) {
		return
	}
	out := b.line.grow(int(next.samples))
	b.concealed = b.concealer.fill(out) || b.concealed
	b.concealer.remember(out)
}

// decode adds a packet's sound to the line. It fails for one that holds none.
func (b *Buffer) decode(next step) bool {
	out := b.line.grow(int(next.samples))
	_, err := b.decoder.Decode(out, next.packet)
	if err != nil {
		b.line.end -= len(out)
		if !errors.Is(err, opus.ErrSilence) {
			b.garbled()
		}
		return false
	}
	if next.jump && b.concealer.period == 0 {
		b.concealer.begin()
	}
	b.concealer.merge(out)
	b.concealer.remember(out)
	b.sound = b.line.len()
	return true
}

func (b *Buffer) garbled() {
	b.mu.Lock()
	b.queue.stats.Garbled++
	b.mu.Unlock()
}

// adjust takes something out of the line or puts something in when the delay is
// not what it should be. It returns by how much the delay changed.
func (b *Buffer) adjust() (changed int) {
	b.mu.Lock()
	excess := b.queue.delay.excess()
	b.mu.Unlock()
	floor := b.activity.Floor()
	if excess > tolerated {
		for b.line.len() < maxPeriod+compared && b.due() {
			b.make()
		}
		return -b.line.shorten(floor, excess > pressing)
	}
	if excess < -tolerated/2 {
		return b.line.lengthen(floor)
	}
	return 0
}

func (b *Buffer) due() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.due()
}

func (b *Buffer) account(changed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue.held = int64(b.line.len())
	b.queue.delay.change(int64(changed))
	if b.concealed {
		b.queue.stats.Concealed++
		b.concealed = false
	}
}
