package jitter

import "time"

// Stats counts packets since the Buffer was made, unless it says otherwise.
type Stats struct {
	Received  uint64 // packets given to Put
	Late      uint64 // came after their turn
	Lost      uint64 // were missing when their turn came, late ones included
	Duplicate uint64
	Garbled   uint64 // not Opus, or not of the stream
	Overflow  uint64 // dropped unplayed: too much was waiting, or the stream began again
	Concealed uint64 // frames of 20 ms that hold concealment

	Waiting int           // packets now
	Delay   time.Duration // how long the fastest packets wait now
	Target  time.Duration // how long they should wait
}

// Stats returns the counts so far.
func (b *Buffer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.queue.stats
	s.Waiting = b.queue.waiting
	s.Delay, s.Target = durationOf(b.queue.delay.smoothed()), durationOf(b.queue.delay.target)
	return s
}
