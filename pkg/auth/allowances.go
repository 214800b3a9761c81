package auth

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of what a member's requests may make the device log. Each start writes two
// entries: without a limit, one member's client could push everyone's entries out of the log
// within the hour, and wear the flash.
const (
	maxStarts      = 120 // at once
	startEvery     = time.Minute
	refusalsPerLog = time.Minute // one refusal of a member is logged in it
)

// allowances bounds what each member, or all guests of one together, may make the device
// log: an adult could invite sixty keys of its own. It is safe for concurrent use.
type allowances struct {
	mu     sync.Mutex
	limits map[string]limits // by account
}

type limits struct{ starts, refusals *rate.Limiter }

// of returns the limits of m. mu is held until they were used: else forget could drop them
// in between, and what is counted with them.
func (a *allowances) of(m *member) limits {
	l, ok := a.limits[m.account()]
	if !ok {
		l = limits{rate.NewLimiter(rate.Every(startEvery), maxStarts), rate.NewLimiter(rate.Every(refusalsPerLog), 1)}
		a.limits[m.account()] = l
	}
	return l
}

// mayStart reports whether m may start something that is logged, and counts it.
func (a *allowances) mayStart(m *member) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of(m).starts.Allow()
}

// mayRefuse reports whether a refusal of m is logged, and counts it.
func (a *allowances) mayRefuse(m *member) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of(m).refusals.Allow()
}

// forget drops the limits that are like new ones.
func (a *allowances) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.limits, func(_ string, l limits) bool {
		return l.starts.Tokens() >= maxStarts && l.refusals.Tokens() >= 1
	})
}
