package audio

import (
	"sync"
	"time"
)

// FarEnd is what the speaker plays and when it is heard: the Speaker writes it, and the
// Microphone reads what it must remove. It holds the last 1.4 seconds, which is more than
// both cards buffer. A nil FarEnd is a speaker that never plays. It is safe for concurrent
// use.
type FarEnd struct {
	mu   sync.Mutex
	run  run
	ring []int16 // sample n of the run lies at n modulo its length
}

// farSamples is a power of two, so that nothing is lost where counts wrap.
const farSamples = 1 << 16

// run is an unbroken piece of what the speaker plays.
type run struct {
	number    int // of all runs; 0: nothing was ever played
	device    string
	announced bool   // an announcement, not a voice
	over      bool   // nothing follows
	written   int64  // samples
	began     anchor // when its first sample was heard
}

// NewFarEnd returns a FarEnd for a Speaker and a Microphone.
func NewFarEnd() *FarEnd { return &FarEnd{ring: make([]int16, farSamples)} }

// begin begins a run. The card is empty.
func (f *FarEnd) begin(device string, announced bool) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run = run{number: f.run.number + 1, device: device, announced: announced}
}

// put adds samples that were just written to the card.
func (f *FarEnd) put(samples []int16) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for rest := samples; len(rest) > 0; {
		n := copy(f.ring[f.run.written%farSamples:], rest)
		f.run.written, rest = f.run.written+int64(n), rest[n:]
	}
}

// place sets when the last samples will have been heard. A card that has not begun to play
// does not know.
func (f *FarEnd) place(end time.Duration) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.run.written > ahead {
		f.run.began.note(end - lasting(f.run.written))
	}
}

// end ends the run.
func (f *FarEnd) end() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run.over = true
}

// now returns the last run.
func (f *FarEnd) now() run {
	if f == nil {
		return run{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.run
}

// take fills frame with the run's samples from a place on, and with silence where the
// run has none or the ring has no more.
func (f *FarEnd) take(frame []int16, number int, from int64) {
	clear(frame)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.run.number != number {
		return
	}
	at := max(from, 0, f.run.written-farSamples)
	for end := min(from+int64(len(frame)), f.run.written); at < end; {
		piece := f.ring[at%farSamples:]
		at += int64(copy(frame[at-from:end-from], piece))
	}
}
