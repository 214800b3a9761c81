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
	// nearTries is how often, once a second, a viewer that seems to be far is looked at
	// again: the first round trip is often measured while both sides are busy.
	nearTries = 5
)

// watchPath has the viewer look whether it is near, now and when another pair of
// candidates is selected.
func (s *Session) watchPath() {
	ice := s.pc.GetSenders()[0].Transport().ICETransport()
	s.viewer.isNear = func() bool {
		pair, err := ice.GetSelectedCandidatePair()
		st, ok := ice.GetSelectedCandidatePairStats()
		trip := time.Duration(st.CurrentRoundTripTime * float64(time.Second))
		return err == nil && pair != nil && ok && near(s.bounds.own, pair, trip)
	}
	ice.OnSelectedCandidatePairChange(func(*webrtc.ICECandidatePair) { s.viewer.near.Store(s.viewer.isNear()) })
}

// near reports whether a path leads to a viewer in the same network without a router in
// between. A viewer is seen as peer reflexive if it hides its address behind a name
// (mDNS).
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
