package audio

import "time"

// anchor estimates when, on the capture clock, the first sample of a stream passed the
// air, if the card had always kept its present pace. A measurement can be late, because the
// card reports its position in coarse steps or this thread had to wait, but not early:
// hence the least of the last one or two seconds.
type anchor struct {
	known         bool
	least, before time.Duration // of this window, and of the one before
	n             int           // measured in this window
}

func (a *anchor) note(measured time.Duration) {
	switch {
	case !a.known:
		*a = anchor{known: true, least: measured, before: measured}
	case a.n == window:
		a.before, a.least, a.n = a.least, measured, 0
	default:
		a.least = min(a.least, measured)
	}
	a.n++
}

func (a *anchor) at() time.Duration { return min(a.least, a.before) }

// samplesIn returns the number of samples in a time, and lasting the time of so many
// samples. Neither overflows within the life of a process.
func samplesIn(t time.Duration) int64 {
	return int64(t/time.Millisecond)*rate/1000 + int64(t%time.Millisecond)*rate/int64(time.Second)
}

func lasting(samples int64) time.Duration {
	return time.Duration(samples/rate)*time.Second + time.Duration(samples%rate)*time.Second/rate
}
