package link

import "time"

// A broker that ends a session without an error, and accepts a new one at once, has most
// likely given the device's name to somebody else. It does not say so (MQTT 3.1.1, section
// 3.1.4), so several such ends within a while count as a sign of it.
const (
	rivalEnds   = 3
	rivalMemory = 5 * time.Minute
)

// rivals counts such ends.
type rivals struct {
	ends int
	last time.Time
}

// ended counts a serving session that the broker ended.
func (r *rivals) ended(now time.Time) {
	if now.Sub(r.last) > rivalMemory {
		r.ends = 0
	}
	r.ends++
	r.last = now
}

// refused is called when an attempt fails: then the broker itself was in trouble.
func (r *rivals) refused() { r.ends = 0 }

// present reports whether somebody else uses the device's name, and until when that
// is believed without another sign of it.
func (r *rivals) present(now time.Time) (until time.Time, yes bool) {
	until = r.last.Add(rivalMemory)
	return until, r.ends >= rivalEnds && now.Before(until)
}
