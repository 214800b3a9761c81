package link

import (
	"maps"
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

const keptBuckets = 64 // beyond this, full buckets go

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

// full tells of a bucket that is like a new one.
func (b *bucket) full(now time.Time, a allowance) bool {
	return b.spent <= now.Sub(b.last).Seconds()*a.perSecond
}

// limiter holds a bucket for each account that has sent something. It is used by one
// goroutine at a time: the MQTT library's handler.
type limiter struct {
	known     map[string]*bucket
	strangers bucket
}

// allow tells whether a message of a client may pass.
func (l *limiter) allow(now time.Time, c proto.ClientID, accountOf func(proto.ClientID) (string, bool)) bool {
	account, known := accountOf(c)
	if !known {
		return l.strangers.take(now, strangerAllowance)
	}
	b := l.known[account]
	if b == nil {
		b = l.add(now, account)
	}
	return b.take(now, knownAllowance)
}

func (l *limiter) add(now time.Time, account string) *bucket {
	if len(l.known) >= keptBuckets {
		maps.DeleteFunc(l.known, func(_ string, b *bucket) bool { return b.full(now, knownAllowance) })
	}
	b := &bucket{}
	l.known[account] = b
	return b
}
