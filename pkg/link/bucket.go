package link

import (
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// How many requests pass: a burst at once, then so many a second. A session
// begins with an offer and a few dozen candidates. All unknown clients together
// share one small allowance, so that they can't starve the known ones.
var (
	knownAllowance    = allowance{perSecond: 20, burst: 100}
	strangerAllowance = allowance{perSecond: 2, burst: 20}
)

const keptBuckets = 64 // beyond this, buckets of clients no longer known go

type allowance struct{ perSecond, burst float64 }

// bucket is a token bucket; an empty struct is a full bucket.
type bucket struct {
	spent float64
	last  time.Time
}

func (b *bucket) take(now time.Time, a allowance) bool {
	b.spent = max(0, b.spent-now.Sub(b.last).Seconds()*a.perSecond)
	b.last = now
	if b.spent+1 > a.burst {
		return false
	}
	b.spent++
	return true
}

// limiter holds a bucket for each known client that has sent something. It is
// used by one goroutine at a time: the MQTT library's handler.
type limiter struct {
	known     map[proto.ClientID]*bucket
	strangers bucket
}

// allow tells whether a message of a client may pass.
func (l *limiter) allow(now time.Time, c proto.ClientID, isKnown func(proto.ClientID) bool) bool {
	if !isKnown(c) {
		return l.strangers.take(now, strangerAllowance)
	}
	b := l.known[c]
	if b == nil {
		b = l.add(c, isKnown)
	}
	return b.take(now, knownAllowance)
}

func (l *limiter) add(c proto.ClientID, isKnown func(proto.ClientID) bool) *bucket {
	if len(l.known) >= keptBuckets {
		for old := range l.known {
			if !isKnown(old) {
				delete(l.known, old)
			}
		}
	}
	b := &bucket{}
	l.known[c] = b
	return b
}
