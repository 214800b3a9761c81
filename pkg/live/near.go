package live

import (
	"net/netip"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
)

const (
	// nearTrip is the round trip above which a viewer is not in the same network,
	// whatever its address.
	nearTrip = 3 * time.Millisecond
	// nearTries is how many times, once a second, a viewer that seems to be far is looked
	// at again: the first round trip is often measured while both sides are busy.
	nearTries = 5
	// nearLoss is the share of lost packets above which a viewer in the same network is
	// treated as one that is not.
	nearLoss = 0.02
	// nearRate is how fast packets leave to a viewer in the same network, in bit/s: 32 KiB
	// in each millisecond.
	nearRate = mostBatch * 8 * 1000
)

// watchPath sets the viewer's isNear, and tells it when another pair of candidates is selected.
func (s *Session) watchPath() {
	ice := s.pc.GetSenders()[0].Transport().ICETransport()
	s.viewer.isNear = func() bool {
		pair, err := ice.GetSelectedCandidatePair()
		st, ok := ice.GetSelectedCandidatePairStats()
		trip := time.Duration(st.CurrentRoundTripTime * float64(time.Second))
		return err == nil && pair != nil && ok && near(s.bounds.own, pair, trip)
	}
	ice.OnSelectedCandidatePairChange(func(*webrtc.ICECandidatePair) { s.viewer.pathChanged() })
}

// pathChanged is called by pion when another pair of candidates is selected. It only tells the
// viewer's goroutine: pion holds its lock while it closes a connection and waits for us, so
// whoever asks pion for something here may wait forever.
func (v *viewer) pathChanged() {
	v.moved.Store(true)
	select {
	case v.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// newPath finds out whether the viewer is near by its new path. One that has lost packets is
// not near again in this session: another pair of candidates often leads through the same
// radio, and which one is selected is the viewer's choice.
func (v *viewer) newPath() {
	v.tries = nearTries
	v.near.Store(!v.lossy && v.isNear())
}

// checkNear is called once a second.
func (v *viewer) checkNear() {
	if v.path.Loss() > nearLoss {
		v.lossy = true
	}
	switch {
	case v.lossy:
		v.near.Store(false)
	case v.tries > 0 && !v.near.Load():
		v.near.Store(v.isNear())
		v.tries--
	}
}

// near reports whether a path leads to a viewer in the same network without a router in
// between. A trip of 0 is not measured yet. A viewer that hides its address behind a name
// (mDNS) is seen as peer reflexive.
func near(own proto.Networks, pair *webrtc.ICECandidatePair, trip time.Duration) bool {
	if pair.Local.Typ != webrtc.ICECandidateTypeHost || trip == 0 || trip > nearTrip {
		return false
	}
	if t := pair.Remote.Typ; t != webrtc.ICECandidateTypeHost && t != webrtc.ICECandidateTypePrflx {
		return false
	}
	a, err := netip.ParseAddr(pair.Remote.Address)
	return err == nil && own.Hold(a)
}
