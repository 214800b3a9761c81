package link

import "time"

// A broker that ends a session in good order, and takes a new one at once, has most
// likely given its name to somebody else. It tells nobody so (section 3.1.4 of MQTT 3.1.1), so
// several such ends within a while are taken for it.
const (
	rivalEnds   = 3
	rivalMemory = 5 * time.Minute
)

// rivals counts such ends.
type rivals struct {
	ends int
	last time.Time
}

// ended notes that a session which served was ended by the broker.
func (r *rivals) ended(now time.Time) {
	if now.Sub(r.last) > rivalMemory {
		r.ends = 0
	}
	r.ends++
	r.last = now
}

// refused notes an attempt that failed: then the broker itself was in trouble.
func (r *rivals) refused() { r.ends = 0 }

// present reports whether somebody else uses the device's name, and until when that
// is believed without another sign of it.
func (r *rivals) present(now time.Time) (until time.Time, yes bool) {
	until = r.last.Add(rivalMemory)
	return until, r.ends >= rivalEnds && now.Before(until)
}
