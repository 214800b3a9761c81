package live

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/udp"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

func TestNear(t *testing.T) {
	own := proto.Networks{netip.MustParsePrefix("192.168.1.20/24"), netip.MustParsePrefix("2001:db8::20/64")}
	const host, reflexive = webrtc.ICECandidateTypeHost, webrtc.ICECandidateTypePrflx
	for name, c := range map[string]struct {
		local, remote webrtc.ICECandidateType
		address       string
		trip          time.Duration
		want          bool
	}{
		"same network":             {host, host, "192.168.1.30", time.Millisecond, true},
		"same network, IPv6":       {host, host, "2001:db8::30", time.Millisecond, true},
		"behind a name":            {host, reflexive, "192.168.1.30", time.Millisecond, true},
		"a slow one":               {host, host, "192.168.1.30", 4 * time.Millisecond, false},
		"nothing is known":         {host, host, "192.168.1.30", 0, false},
		"another network":          {host, host, "192.168.2.30", time.Millisecond, false},
		"behind a NAT":             {host, webrtc.ICECandidateTypeSrflx, "192.168.1.30", time.Millisecond, false},
		"a relay of the viewer":    {host, webrtc.ICECandidateTypeRelay, "192.168.1.30", time.Millisecond, false},
		"a relay of the camera":    {webrtc.ICECandidateTypeRelay, host, "192.168.1.30", time.Millisecond, false},
		"an address that is none":  {host, host, "x.local", time.Millisecond, false},
		"of another place in IPv6": {host, host, "2001:db8:1::30", time.Millisecond, false},
	} {
		pair := &webrtc.ICECandidatePair{Local: &webrtc.ICECandidate{Typ: c.local}, Remote: &webrtc.ICECandidate{Typ: c.remote, Address: c.address}}
		if got := near(own, pair, c.trip); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestAViewerInTheSameNetworkIsNear connects one, over this machine's own address.
func TestAViewerInTheSameNetworkIsNear(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 5000)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	pair, err := p.session.pc.GetSenders()[0].Transport().ICETransport().GetSelectedCandidatePair()
	must(t, err)
	if !near(proto.OwnNetworks(), pair, time.Millisecond) {
		t.Errorf("%v is not near", pair)
	}
}

// TestLossEndsNearness also for the paths that are selected later.
func TestLossEndsNearness(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	v.isNear = func() bool { return true }
	changes := func() {
		v.pathChanged()
		v.turn(t.Context(), media.Now())
	}
	changes()
	if !v.near.Load() {
		t.Error("a viewer that is near by its first path is not near")
	}
	frame(v.tracks[0].cursor.Buffer(), media.Now(), true, 1, 2)
	v.turn(t.Context(), media.Now())
	now := media.Now()
	for _, c := range []struct {
		seconds int
		lost    uint8 // of 256
		want    bool  // in the end
	}{{3, 0, true}, {3, 2, true}, {5, 77, false}, {10, 0, false}} {
		for range c.seconds {
			for range 100 {
				v.path.Sent(now, 1000)
				now += 10 * time.Millisecond
			}
			v.path.Reception(now, c.lost, time.Millisecond)
			must(t, v.second())
		}
		changes()
		if got := v.near.Load(); got != c.want {
			t.Errorf("%d seconds with %d lost of 256: near is %v, want %v", c.seconds, c.lost, got, c.want)
		}
	}
}

// TestAChangeOfThePathAsksPionForNothing: pion calls pathChanged, and waits for it with its lock
// held while a session ends.
func TestAChangeOfThePathAsksPionForNothing(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	asked := 0
	v.isNear = func() bool { asked++; return true }
	v.pathChanged()
	v.pathChanged() // nobody has read its word yet
	if asked > 0 || len(v.wake) != 1 {
		t.Errorf("pion was asked %d times, and the viewer is woken: %v", asked, len(v.wake) == 1)
	}
	v.turn(t.Context(), media.Now())
	v.turn(t.Context(), media.Now())
	if asked != 1 || !v.near.Load() {
		t.Errorf("the viewer has asked %d times, want once; near is %v", asked, v.near.Load())
	}
}

// TestOnlyWhatANearViewerSendsMayWait calls second, which is due once a second.
func TestOnlyWhatANearViewerSendsMayWait(t *testing.T) {
	socket, err := udp.Open()
	must(t, err)
	defer socket.Close() //nolint:errcheck // the test is over
	v := testViewer(&wire{}, packets.New(90000, true))
	v.haste = &haste{socket: socket}
	v.haste.set(true)
	v.isNear = func() bool { return false }
	for i, c := range []struct {
		near  bool
		nacks uint64
		hurry bool
	}{
		{false, 0, true},
		{true, 0, false},
		{true, 3, true},
		{true, 0, false},
		{false, 0, true},
		{false, 1, true},
	} {
		v.near.Store(c.near)
		v.counters.nacks.Add(c.nacks)
		must(t, v.second())
		if got := v.haste.done != nil; got != c.hurry {
			t.Errorf("second %d: hurry is %v, want %v", i, got, c.hurry)
		}
	}
}
