package jitter

import (
	"errors"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// Buffer is the jitter buffer of one speaker. Put is safe for concurrent use.
type Buffer struct {
	mu    sync.Mutex // guards queue; never held while decoding
	queue queue

	// Only Get uses these.
	decoder   *opus.Decoder
	packet    []byte
	line      line
	sound     int  // samples in line up to the last decoded one
	concealed bool // part of this frame
	concealer concealer
	activity  dynamics.Activity
}

// New returns an empty buffer.
func New() *Buffer {
	b := &Buffer{decoder: opus.NewDecoder(), packet: make([]byte, 0, maxPayload)}
	b.queue.delay.reset()
	return b
}

// Put adds an RTP packet: its sequence number, its timestamp (48 kHz, RFC 7587), its
// payload, which is copied, and the time of its arrival on any monotonic clock. It blocks
// only while Get takes a packet out.
func (b *Buffer) Put(seq uint16, ts uint32, payload []byte, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue.put(seq, ts, payload, at)
}

// Get fills samples with the sound that is due, mono at 48 kHz. Call it for every 20 ms
// that the loudspeaker plays, from one goroutine. It reports whether somebody speaks in
// it; concealment and background noise do not count.
func (b *Buffer) Get(samples []int16) (voiced bool) {
	for len(samples) > 0 {
		out := samples[:min(len(samples), frame)]
		b.fill(len(out))
		changed := b.adjust()
		b.fill(len(out))
		copy(out, b.line.samples())
		b.line.drop(len(out))
		decoded := b.sound > 0
		b.sound = max(0, b.sound-len(out))
		b.mu.Lock()
		b.queue.held = int64(b.line.len())
		b.queue.delay.change(int64(changed))
		if b.concealed {
			b.queue.stats.Concealed++
			b.concealed = false
		}
		b.mu.Unlock()
		voiced = b.activity.Speech(out) && decoded || voiced
		samples = samples[len(out):]
	}
	return voiced
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

// decode adds a packet's sound to the line, and reports whether there was any.
func (b *Buffer) decode(next step) bool {
	out := b.line.grow(int(next.samples))
	_, err := b.decoder.Decode(out, next.packet)
	if err != nil {
		b.line.end -= len(out)
		if !errors.Is(err, opus.ErrSilence) {
			b.mu.Lock()
			b.queue.stats.Garbled++
			b.mu.Unlock()
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

// adjust shortens or lengthens the line if the delay is not what it should be. It returns
// by how much the delay changed.
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
