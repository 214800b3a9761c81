package live

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/proto"
)

func refused(t *testing.T, err error, want proto.Code) {
	t.Helper()
	var r *proto.Refusal
	if !errors.As(err, &r) || r.Code != want {
		t.Errorf("error %v, want the refusal %s", err, want)
	}
}

func TestViewerSeesEveryPictureFromTheKeyFrame(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(true))
	p := watch(t, r, "one", peerOptions{})
	get(t, r.camera.asked) // connected
	for i := range 20 {
		size := 3000
		if i == 0 {
			size = 60000
		}
		sent := r.picture(i%10 == 0, size)
		if got := unit(t, p); !bytes.Equal(got, sent) {
			t.Fatalf("picture %d: got %d bytes, want the %d sent", i, len(got), len(sent))
		}
	}
	must(t, r.Bye("c", "one"))
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndBye {
		t.Errorf("reason %q, want %q", got, proto.EndBye)
	}
	if s := p.session.Stats(); s.Frames != 20 || s.Skips != 0 || s.Delay.Quantile(1) < 0 {
		t.Errorf("stats %+v, want 20 frames and no skip", s)
	}
	if r.video.Wanted() || r.audio.Wanted() {
		t.Error("a feed is wanted without a session")
	}
	refused(t, r.Bye("c", "one"), proto.CodeNoSession)
	refused(t, r.AddCandidates("c", "one", proto.Candidates{}), proto.CodeNoSession)
}

func TestSessionLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxSessions = 2
	r := newRig(t, cfg, newCamera(false))
	one := watch(t, r, "one", peerOptions{})
	watch(t, r, "two", peerOptions{})
	three := newPeer(t, peerOptions{})
	o := Offer{Client: "c", Owner: true, Session: "three", SDP: three.offer(peerOptions{}), View: true, Signal: three.signal}
	_, _, err := r.Start(t.Context(), o)
	refused(t, err, proto.CodeTooManySessions)
	o.Session = "two"
	_, _, err = r.Start(t.Context(), o)
	refused(t, err, proto.CodeBadRequest) // the name is taken
	if n := len(r.Viewers()); n != 2 {
		t.Errorf("%d viewers, want 2", n)
	}
	one.cancel(nil)
	<-one.session.Done()
	o.Session = "three"
	s, _, err := r.Start(t.Context(), o)
	must(t, err)
	if l := r.Viewers(); len(l) != 2 || l[0].Session != "two" || l[1].Session != "three" || !l[1].View || l[1].Listen {
		t.Errorf("viewers %+v", l)
	}
	r.stop()
	<-s.Done()
}

func TestRefusals(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	start := func(o Offer) error {
		o.Client, o.Signal = "c", func(proto.SignalKind, any) {}
		_, _, err := r.Start(t.Context(), o)
		return err
	}
	good := crlf(chromium)
	refused(t, start(Offer{Session: "s", SDP: "hello", View: true}), proto.CodeBadRequest)
	refused(t, start(Offer{Session: "", SDP: good, View: true}), proto.CodeBadRequest)
	refused(t, start(Offer{Session: strings.Repeat("s", 65), SDP: good, View: true}), proto.CodeBadRequest)
	refused(t, start(Offer{Session: "s", SDP: good}), proto.CodeBadRequest)
	vp8 := strings.ReplaceAll(good, "H264/", "VP8/")
	refused(t, start(Offer{Session: "s", SDP: vp8, View: true}), proto.CodeCodec)
	r.camera.format.ProfileLevelID = "640028"
	refused(t, start(Offer{Session: "s", SDP: good, View: true}), proto.CodeCodec)
	if r.video.Wanted() || len(r.Viewers()) != 0 || r.socket.users != 0 {
		t.Error("a refused session left something behind")
	}
	r.stop()
	refused(t, start(Offer{Session: "s", SDP: good, View: true}), proto.CodeBusy)
}

func TestRefusedOffersAreLoggedBriefly(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	for name, line := range map[string]string{
		"by camd": "\nx" + strings.Repeat("z", 5000),
		"by pion": "\na=candidate:" + strings.Repeat("z", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			r.log = slog.New(slog.NewTextHandler(&lines, nil))
			text := strings.Replace(chromium, "\na=mid:0", line+"\na=mid:0", 1)
			_, _, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: crlf(text), View: true, Signal: func(proto.SignalKind, any) {}})
			refused(t, err, proto.CodeBadRequest)
			if n := lines.Len(); n == 0 || n > 1000 {
				t.Errorf("%d bytes are logged", n)
			}
		})
	}
}

func TestListenerGetsSoundAlone(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	p := newPeer(t, peerOptions{})
	s, answer, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: p.offer(peerOptions{}), Listen: true, Signal: p.signal})
	must(t, err)
	if r.video.Wanted() || !r.audio.Wanted() {
		t.Error("want exactly sound")
	}
	must(t, p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	r.stream(10*time.Millisecond, 10)
	get(t, p.audio)
	if len(p.video) != 0 {
		t.Error("pictures without the right to them")
	}
	r.stop()
	<-s.Done()
}

func TestTheRightsEndIsTheSessionsEnd(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(5*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	p.cancel(errors.New("revoked"))
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndRevoked {
		t.Errorf("reason %q, want %q", got, proto.EndRevoked)
	}
	for {
		if end, ok := get(t, p.signals).(proto.End); ok {
			if end.Reason != proto.EndRevoked {
				t.Errorf("signalled %q", end.Reason)
			}
			break
		}
	}
	n := p.session.Stats().Packets
	at := r.Server.video.Keyframes()
	eventually(t, "more pictures have come", func() bool { return r.Server.video.Keyframes() > at+2 })
	if p.session.Stats().Packets != n {
		t.Error("a packet was sent after Done")
	}
}

func TestShutdownEndsEverySession(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t, DefaultConfig(), newCamera(false))
	p := watch(t, r, "one", peerOptions{})
	q := watch(t, r, "two", peerOptions{noAudio: true})
	r.picture(true, 9000)
	get(t, p.video)
	get(t, q.video)
	r.stop()
	for _, x := range []*peer{p, q} {
		<-x.session.Done() // Run has waited for it
		if got := x.session.Reason(); got != proto.EndShutdown {
			t.Errorf("reason %q, want %q", got, proto.EndShutdown)
		}
		must(t, x.pc.GracefulClose())
	}
	eventually(t, "every goroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestASwappedFingerprintFails(t *testing.T) {
	swap := func(sdp string) string {
		i := strings.Index(sdp, "sha-256 ") + len("sha-256 ")
		b := []byte(sdp)
		b[i] = "123456789ABCDEF0"[strings.IndexByte("0123456789ABCDEF", b[i])]
		return string(b)
	}
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(5*time.Millisecond, 5)
	p := watch(t, r, "one", peerOptions{edit: swap})
	select {
	case <-p.session.Done():
	case <-p.video:
		t.Fatal("a picture comes")
	}
	if got := p.session.Reason(); got != proto.EndMedia {
		t.Errorf("reason %q, want %q", got, proto.EndMedia)
	}
	if s := p.session.Stats(); s.Packets != 0 || len(p.video) != 0 {
		t.Errorf("%d packets were sent", s.Packets)
	}
}

func TestAViewerThatNeverConnects(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.connect = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, _, err := r.Start(ctx, Offer{Client: "c", Session: "s", SDP: crlf(chromium), View: true, Signal: func(proto.SignalKind, any) {}})
	must(t, err)
	<-s.Done()
	if s.Reason() != proto.EndICE {
		t.Errorf("reason %q, want %q", s.Reason(), proto.EndICE)
	}
}

func TestAViewerThatMakesUpStreamsIsEnded(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 3000)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	fir := &rtcp.FullIntraRequest{SenderSSRC: 7, MediaSSRC: 1}
	for i := range uint32(100) {
		fir.FIR = append(fir.FIR, rtcp.FIREntry{SSRC: i + 1})
	}
	must(t, p.pc.WriteRTCP([]rtcp.Packet{fir}))
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndMedia {
		t.Errorf("reason %q, want %q", got, proto.EndMedia)
	}
}

var iceLine = regexp.MustCompile(`a=(ice-ufrag|ice-pwd):(\S+)`)

// Whoever has the session's password can check from any number of addresses.
func TestAViewerThatMakesUpAddressesIsEnded(t *testing.T) {
	for name, role := range map[string]stun.Setter{
		"as a viewer":          ice.AttrControlling(5),
		"in the camera's role": ice.AttrControlled(math.MaxUint64), // pion keeps the address and answers with an error
	} {
		t.Run(name, func(t *testing.T) { makeUpAddresses(t, role) })
	}
}

func makeUpAddresses(t *testing.T, role stun.Setter) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 3000)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	own, theirs := iceLine.FindAllStringSubmatch(p.answer, 2), iceLine.FindStringSubmatch(p.pc.LocalDescription().SDP)
	to := &net.UDPAddr{IP: net.ParseIP(ownAddress()), Port: r.socket.socket.LocalAddr().(*net.UDPAddr).Port}
	for i := 0; p.session.ctx.Err() == nil; i++ {
		if i > 100*maxAddresses {
			t.Fatalf("the session lives after checks from %d addresses", i)
		}
		m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(own[0][2]+":"+theirs[2]),
			role, ice.PriorityAttr(1), stun.NewShortTermIntegrity(own[1][2]), stun.Fingerprint)
		must(t, err)
		c, err := net.DialUDP("udp4", nil, to)
		must(t, err)
		_, err = c.Write(m.Raw)
		must(t, err)
		must(t, c.Close())
	}
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndMedia {
		t.Errorf("reason %q, want %q", got, proto.EndMedia)
	}
}

// ICE is connected again after each short loss. A second writer would be a second
// user of the sequence numbers, which are AES-GCM's nonces.
func TestAShortLossStartsNoSecondWriter(t *testing.T) {
	s := &Session{connected: make(chan struct{}, 1)}
	s.connectionStateChanged(webrtc.PeerConnectionStateConnected)
	<-s.connected // run starts the writer
	s.connectionStateChanged(webrtc.PeerConnectionStateDisconnected)
	s.connectionStateChanged(webrtc.PeerConnectionStateConnected)
	if len(s.connected) != 0 {
		t.Error("another writer would be started")
	}
}

func TestTheViewersClosingEndsTheSession(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 3000)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	must(t, p.pc.Close())
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndBye {
		t.Errorf("reason %q, want %q", got, proto.EndBye)
	}
}

func TestCandidatesTrickle(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 3000)
	o := peerOptions{trickle: true}
	p := newPeer(t, o)
	found := make(chan proto.Candidate, 100)
	p.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			i := c.ToJSON()
			found <- proto.Candidate{Candidate: i.Candidate, SDPMid: i.SDPMid, SDPMLineIndex: i.SDPMLineIndex}
		}
	})
	p.start(r, "one", o)
	if !strings.Contains(p.answer, "typ host") {
		t.Error("no host candidate in the answer")
	}
	mdns := proto.Candidate{Candidate: "candidate:1 1 udp 2122260223 8a37a1b6-0b51-4a1c-9a5d-3f2f4c4be001.local 50000 typ host"}
	must(t, r.AddCandidates("c", "one", proto.Candidates{Candidates: []proto.Candidate{mdns, {}, get(t, found)}}))
	get(t, p.video)
	c := get(t, p.signals).(proto.Candidates)
	if !c.Done || len(c.Candidates) != 0 {
		t.Errorf("signalled %+v, want only that there are no more", c)
	}
	bad := proto.Candidates{Candidates: []proto.Candidate{{Candidate: "candidate:x"}}}
	refused(t, r.AddCandidates("c", "one", bad), proto.CodeBadRequest)
	many := proto.Candidates{Candidates: make([]proto.Candidate, sdp.MaxCandidates)}
	refused(t, r.AddCandidates("c", "one", many), proto.CodeBadRequest)
}

// wish makes a viewer that wants to be sent at most so many bit/s.
func wish(bps string) peerOptions {
	return peerOptions{edit: func(sdp string) string {
		i := strings.Index(sdp, "m=video")
		j := i + strings.Index(sdp[i:], "c=IN")
		j += strings.Index(sdp[j:], "\n") + 1
		return sdp[:j] + "b=TIAS:" + bps + "\r\n" + sdp[j:]
	}}
}

func TestTheLowestWishSetsTheBitrate(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	watch(t, r, "none", peerOptions{})
	a := watch(t, r, "a", wish("800000"))
	b := watch(t, r, "b", wish("300000"))
	watch(t, r, "c", wish("900000"))
	b.cancel(nil)
	<-b.session.Done()
	a.cancel(nil)
	<-a.session.Done()
	r.stop()
	r.camera.mu.Lock()
	defer r.camera.mu.Unlock()
	l := r.camera.bitrates
	if len(l) < 3 || l[0] != 800000 || l[1] != 300000 || l[len(l)-1] != 0 {
		t.Fatalf("bitrates %v, want 800000, then 300000, and 0 in the end", l)
	}
	for _, bps := range l[2 : len(l)-1] { // it rises slowly
		if bps <= 300000 || bps > 900000 {
			t.Errorf("bitrates %v", l)
		}
	}
}

func TestConfig(t *testing.T) {
	turn := ICEServer{URLs: []string{"turn:192.0.2.1?transport=tcp"}, Username: "u", Credential: "secret"}
	for name, c := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"default":                 {DefaultConfig(), true},
		"no sessions":             {Config{}, false},
		"STUN":                    {Config{MaxSessions: 1, ICEServers: []ICEServer{{URLs: []string{"stun:192.0.2.1"}}}}, true},
		"TURN":                    {Config{MaxSessions: 1, RelayOnly: true, ICEServers: []ICEServer{turn}}, true},
		"relay only without TURN": {Config{MaxSessions: 1, RelayOnly: true}, false},
		"TURN without credential": {Config{MaxSessions: 1, ICEServers: []ICEServer{{URLs: turn.URLs, Username: "u"}}}, false},
		"TURN by file":            {Config{MaxSessions: 1, RelayOnly: true, ICEServers: []ICEServer{{URLs: turn.URLs, CredentialsFile: "f"}}}, true},
		"TURN twice":              {Config{MaxSessions: 1, ICEServers: []ICEServer{{URLs: turn.URLs, Username: "u", CredentialsFile: "f"}}}, false},
		"no URL":                  {Config{MaxSessions: 1, ICEServers: []ICEServer{{}}}, false},
		"other scheme":            {Config{MaxSessions: 1, ICEServers: []ICEServer{{URLs: []string{"https://192.0.2.1"}}}}, false},
	} {
		if err := c.cfg.validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := turn.String() + turn.GoString() + turn.LogValue().String(); strings.Contains(s, "secret") {
		t.Errorf("the credential shows: %s", s)
	}
}
