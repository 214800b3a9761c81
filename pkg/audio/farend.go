package audio

import (
	"sync"
	"time"
)

// FarEnd is what the speaker plays, with the time at which it is heard: the Speaker
// writes it, and the Microphone takes what it must not hear. It holds the last 1.4
// seconds, which spans what both cards buffer. A nil FarEnd is a speaker that never
// plays.
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

// NewFarEnd makes one, for a Speaker and a Microphone.
func NewFarEnd() *FarEnd { return &FarEnd{ring: make([]int16, farSamples)} }

// begin begins a run: the card is empty.
func (f *FarEnd) begin(device string, announced bool) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run = run{number: f.run.number + 1, device: device, announced: announced}
}

// put takes note of what the card has just been given.
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

// place takes note of when what was put last will have been heard. A card that has
// not begun to play can't tell.
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

// end tells that nothing follows in this run.
func (f *FarEnd) end() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run.over = true
}

// now is the last run.
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
