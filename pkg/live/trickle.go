package live

import (
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/proto"
)

// trickle keeps a session's own candidates until they are sent (RFC 8838), and counts
// the viewer's.
type trickle struct {
	wake chan struct{} // holds one value after something was added

	mu     sync.Mutex
	own    []proto.Candidate
	done   bool // the own ones are all gathered
	saidSo bool // and that has been sent
	found  bool // an own one was added
	relay  bool // one of them is a relay's
	remote int
}

// add is pion's callback; nil means that there are no more.
func (t *trickle) add(c *webrtc.ICECandidate) {
	t.mu.Lock()
	if c == nil {
		t.done = true
	} else {
		t.own = append(t.own, proto.Candidate(c.ToJSON()))
		t.found = true
		t.relay = t.relay || c.Typ == webrtc.ICECandidateTypeRelay
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// gathered reports whether any own candidate was found, and whether all were.
func (t *trickle) gathered() (found, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.found, t.done
}

// forget drops what is in the answer already, and wakes the session for the rest.
func (t *trickle) forget(sent func(proto.Candidate) bool) {
	t.mu.Lock()
	t.own = slices.DeleteFunc(t.own, sent)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take returns what has not been sent, and whether a relay answered.
func (t *trickle) take() (c proto.Candidates, relay bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c = proto.Candidates{Candidates: t.own, Done: t.done && !t.saidSo}
	t.saidSo = t.done
	t.own = nil
	return c, t.relay
}

// allow counts n candidates of the viewer against the session's limit.
func (t *trickle) allow(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remote += n
	return t.remote <= sdp.MaxCandidates
}
