package fmp4

import (
	"math"
	"time"
)

// Sample flags (ISO/IEC 14496-12 clause 8.8.3.1).
const (
	flagsSync  = 2 << 24       // depends on no other
	flagsDelta = 1<<24 | 1<<16 // depends on others, is no sync sample
)

// sample is one access unit or packet, as a track fragment run describes it.
type sample struct{ duration, size, flags uint32 }

// track collects one fragment. Its last sample is open, without a duration, until
// the next one shows when it ends.
type track struct {
	id      uint32
	scale   int64
	usual   uint32 // what the very last sample lasts, since none follows
	samples []sample
	data    []byte
	start   int64 // time of the first sample in units of scale
	last    int64 // time of the last sample
}

// ticks rounds a time to the track's units.
func (t *track) ticks(d time.Duration) int64 {
	s, ns := int64(d/time.Second), int64(d%time.Second)
	return s*t.scale + (ns*t.scale+int64(time.Second)/2)/int64(time.Second)
}

// end gives the open sample its duration, at least one unit.
func (t *track) end(at int64) {
	if n := len(t.samples); n > 0 && t.samples[n-1].duration == 0 {
		d := uint32(min(max(at-t.last, 1), math.MaxUint32))
		t.samples[n-1].duration = d
		if int64(d) < t.scale { // more is a gap
			t.usual = d
		}
	}
}

// begin opens a sample of the last size bytes of data.
func (t *track) begin(at int64, size int, flags uint32) {
	if len(t.samples) == 0 {
		t.start = max(at, t.start)
	} else {
		at = max(at, t.last+1)
	}
	t.last = at
	t.samples = append(t.samples, sample{size: uint32(size), flags: flags})
}

// ready returns how many samples have a duration, and how long they and their data are.
func (t *track) ready() (n int, duration int64, size int) {
	for _, s := range t.samples {
		if s.duration == 0 {
			break
		}
		n, duration, size = n+1, duration+int64(s.duration), size+int(s.size)
	}
	return n, duration, size
}

// drop forgets what was written.
func (t *track) drop() {
	n, duration, size := t.ready()
	t.start += duration
	t.samples = t.samples[:copy(t.samples, t.samples[n:])]
	t.data = t.data[:copy(t.data, t.data[size:])]
}
