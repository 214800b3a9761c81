package link

import (
	"maps"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/proto"
)

// How many requests pass: a burst at once, then so many a second. A session
// begins with an offer and a few dozen candidates. All unknown clients together
// share one small limit, so that they can't starve the known ones.
const (
	knownRate, knownBurst       = 20, 100
	strangerRate, strangerBurst = 2, 20
)

const keptLimiters = 64 // beyond this, those that are full again go

// limiter has a rate limiter for each account that has sent something, and one for all
// strangers. It is used by one goroutine at a time: the MQTT library's handler.
type limiter struct {
	known     map[string]*rate.Limiter
	strangers *rate.Limiter
}

func newLimiter() limiter {
	return limiter{known: map[string]*rate.Limiter{}, strangers: rate.NewLimiter(strangerRate, strangerBurst)}
}

// allow reports whether a message of a client may pass.
func (l *limiter) allow(now time.Time, c proto.ClientID, accountOf func(proto.ClientID) (string, bool)) bool {
	account, known := accountOf(c)
	if !known {
		return l.strangers.AllowN(now, 1)
	}
	r := l.known[account]
	if r == nil {
		if len(l.known) >= keptLimiters {
			maps.DeleteFunc(l.known, func(_ string, r *rate.Limiter) bool { return r.TokensAt(now) >= knownBurst })
		}
		r = rate.NewLimiter(knownRate, knownBurst)
		l.known[account] = r
	}
	return r.AllowN(now, 1)
}
