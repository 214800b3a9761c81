package auth

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/proto"
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

// An update server must not be able to fill the access log or the members' phones: of each
// kind of step maxSteps are logged at once, and then one every stepEvery.
// docs/protocol.md 12.3.
const (
	maxSteps  = 12
	stepEvery = 6 * time.Hour
)

// steps bounds the entries about updates. Each kind has its own limit, so that many of one
// never keep out another.
type steps struct {
	mu     sync.Mutex
	last   map[proto.UpdateStepKind]proto.UpdateStep // logged since the start
	limits map[proto.UpdateStepKind]*rate.Limiter
}

// take reports whether a step is news, and whether it may be logged, and counts it.
func (b *steps) take(s proto.UpdateStep) (news, may bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s.Kind {
	case proto.StepAvailable, proto.StepRefused, proto.StepFork: // each look at the update server may find them again
		if last, ok := b.last[s.Kind]; ok && last == s {
			return false, false
		}
	}
	if b.last == nil {
		b.last, b.limits = map[proto.UpdateStepKind]proto.UpdateStep{}, map[proto.UpdateStepKind]*rate.Limiter{}
	}
	if b.limits[s.Kind] == nil {
		b.limits[s.Kind] = rate.NewLimiter(rate.Every(stepEvery), maxSteps)
	}
	if !b.limits[s.Kind].Allow() {
		return true, false
	}
	b.last[s.Kind] = s
	return true, true
}
