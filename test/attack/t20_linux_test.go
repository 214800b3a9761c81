package attack

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"
	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// relayIP is the rogue TURN server's own address.
const relayIP = "127.0.0.2"

// wire is a household whose network is overheard, with all that must not be heard.
type wire struct {
	*house
	sniffer *hostile.Sniffer
	relay   *hostile.Relay
	planted map[string][][]byte // by what it is
}

// Names that stand in messages and in nothing else.
const (
	ownerName  = "Annabella Quicksilver"
	guestName  = "Marigold Featherstone"
	cameraName = "Nightingale's corner"
)

// TestT20 overhears a whole story: pairing, login, a grant by camera card, sessions
// directly and through a rogue relay, privacy mode, a revocation, the log.
func TestT20ASnifferAndARogueRelaySeeNothing(t *testing.T) {
	if !alone(t) {
		return
	}
	w := newWire(t)
	guest := w.household()
	for name, o := range map[string]client.WatchOptions{
		"directly":                       {},
		"through the rogue relay by UDP": w.relayed(w.relay.UDP),
		"through the rogue relay by TCP": w.relayed(w.relay.TCP),
	} {
		w.watched(name, guest, o)
	}
	w.negotiated()
	w.altered(guest)
	w.decided(guest)
	w.heard()
}

func newWire(t *testing.T) *wire {
	w := &wire{house: &house{t: t}, sniffer: hostile.Sniff(t, "lo"), relay: hostile.StartRelay(t, relayIP), planted: map[string][][]byte{}}
	// One stream of pictures, so that a witness gets what a viewer gets whose packets are lost.
	tables := synthetic + "[capture.low]\nenabled = false\n" + fmt.Sprintf("[[live.ice_servers]]\nurls = [%q, %q]\nusername = %q\ncredential = %q\n",
		w.relay.UDP, w.relay.TCP, hostile.RelayUser, hostile.RelaySecret)
	w.Rig = rig.NewWith(t, tables, func(ca *pki.CA, _ string) (rig.Broker, error) {
		w.evil = hostile.Start(t, ca)
		return w.evil, nil
	})
	w.Start()
	w.Online()
	w.plant("an SDP's beginning", "v=0\r\no=- ")
	w.plant("an SDP's beginning in JSON", `v=0\r\no=- `)
	for _, what := range []string{"a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:", "candidate:", `{"sdp":"`, `"candidates":`,
		`"op":"hello"`, `"op":"live"`, `"op":"grant"`, `"op":"revoke"`, `"op":"privacy"`, `"op":"settings.set"`, `"op":"log"`,
		"camd-req+jwt", "camd-ans+jwt", "camd-sig+jwt", "camd-note+jwt", `"scopes":["`, `{"v":1,"k":"`} {
		w.plant(what, what)
	}
	for what, value := range map[string]string{"the owner's name": ownerName, "the guest's name": guestName, "the camera's name": cameraName,
		"the device": string(w.Device), "the relay's password": hostile.RelaySecret, "the label's secret": string(w.Label.Secret[:]),
		"the label": w.Label.TypedText()[:20], "the label as QR code": w.Label.Text()[35:55]} {
		w.plant(what, value)
	}
	return w
}

// shortest is how many bytes are no accident.
const shortest = 8

// plant adds something that must not be heard.
func (w *wire) plant(what, value string) {
	w.t.Helper()
	if len(value) < shortest {
		w.t.Fatalf("%s is too short to be looked for", what)
	}
	w.planted[what] = append(w.planted[what], []byte(value))
}

// household pairs the owner at the local socket and lets a guest in by camera card.
func (w *wire) household() *client.Camera {
	w.t.Helper()
	keys := newKeys(w.t)
	w.OpenWindow(ownerName)
	record, err := w.Join(keys, w.Label)
	if err != nil {
		w.t.Fatal(err)
	}
	w.owner = w.Dial(keys, record)
	ctx := w.patient()
	if _, err := w.owner.Members(ctx); err != nil {
		w.t.Fatal(err)
	}
	name := cameraName
	if _, err := w.owner.SetSettings(ctx, proto.SettingsChange{Name: &name}); err != nil {
		w.t.Fatal(err)
	}
	guest := w.Invite(w.owner, proto.Grant{Name: guestName, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}})
	for who, c := range map[string]*client.Camera{"the owner": w.owner, "the guest": guest} {
		w.plant(who+"'s key's name", string(c.Keys().ID()))
		login := strings.Split(c.Record().Broker.Key, "\n")
		w.plant(who+"'s login", login[1])
	}
	if n := w.OutboundOnly("before anyone watches"); n != 1 {
		w.t.Errorf("before anyone watches camd holds %d sockets, want the broker's alone", n)
	}
	return guest
}

func (w *wire) patient() context.Context {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), rig.Patience)
	w.t.Cleanup(cancel)
	return ctx
}

// relayed lets a viewer use one URL of the relay and nothing else.
func (w *wire) relayed(url string) client.WatchOptions {
	return client.WatchOptions{RelayOnly: true, ICEServers: []client.ICEServer{
		{URLs: []string{url}, Username: hostile.RelayUser, Credential: hostile.RelaySecret}}}
}

// seen is what a viewer was given, in the order in which it came.
type seen struct {
	session *client.Session

	mu           sync.Mutex
	video, audio [][]byte
	parameters   [][]byte // SPS and PPS
}

func (s *seen) counts() (video, audio int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.video), len(s.audio)
}

func (w *wire) watch(who *client.Camera, o client.WatchOptions) *seen {
	w.t.Helper()
	s := &seen{}
	o.Video = func(f client.Frame) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.video = append(s.video, f.Data)
		if f.Key {
			sps, pps := avc.SetsIn(f.Data).Of(f.Data)
			s.parameters = append(append(s.parameters, sps), pps...)
		}
	}
	o.Audio = func(f client.Frame) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.audio = append(s.audio, f.Data)
	}
	var err error
	if s.session, err = who.Watch(w.patient(), o); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.session.Close)
	return s
}

// more waits until a viewer has got so many more pictures and sounds.
func (w *wire) more(s *seen, n int) {
	w.t.Helper()
	v, a := s.counts()
	w.Until("a viewer sees and hears", func() bool {
		if s.session.Err() != nil {
			w.t.Fatalf("the session ended: %v", s.session.Err())
		}
		video, audio := s.counts()
		return video >= v+n && audio >= a+n
	})
}

// watched watches for a while; what comes must not have been heard.
func (w *wire) watched(how string, who *client.Camera, o client.WatchOptions) {
	w.t.Helper()
	s := w.watch(who, o)
	w.more(s, 10)
	if path := s.session.Stats().Path; o.RelayOnly != strings.HasPrefix(path, "relay") {
		w.t.Errorf("%s media go by %q", how, path)
	}
	for _, k := range w.Sockets() {
		mine := k.Outbound() || strings.HasPrefix(k.Kind, "udp")
		if !mine {
			w.t.Errorf("in a session %s camd holds %v", how, k)
		}
	}
	s.session.Close()
	w.Until("the session's sockets are closed", func() bool { return len(w.Sockets()) == 1 })
	w.OutboundOnly("after a session " + how)
	w.plantMedia(s)
}

// plantMedia adds what a viewer has decrypted.
func (w *wire) plantMedia(s *seen) {
	w.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.parameters {
		if len(b) >= shortest { // a PPS has four bytes
			w.plant("a parameter set", string(b))
		}
	}
	n := 0
	for kind, l := range map[string][][]byte{"a picture": s.video, "a sound": s.audio} {
		for _, b := range l {
			const window = 24
			if at := len(b) / 2; at+window <= len(b) {
				w.plant(kind, string(b[at:at+window]))
				n++
			}
		}
	}
	if n < 15 {
		w.t.Errorf("only %d pictures and sounds can be looked for", n)
	}
	if len(s.parameters) == 0 {
		w.t.Error("no parameter set came")
	} else if _, err := avc.ParseSPS(s.parameters[0]); err != nil {
		w.t.Error(err)
	}
}

// negotiated makes a session whose SDP is known on both sides.
func (w *wire) negotiated() {
	w.t.Helper()
	w.probe = hostile.NewClient(w.t, w.evil, w.owner.Keys(), w.owner.Record())
	w.probe.Hello()
	v := hostile.NewViewer(w.t)
	answer := liveAnswer(w.t, w.probe.Do(w.probe.Request(proto.OpLive, "negotiated", v.LiveRequest())))
	v.Answer(answer)
	v.State(webrtc.PeerConnectionStateConnected)
	w.Until("packets come", func() bool { return v.Packets.Load() > 10 })
	w.probe.Do(w.probe.Request(proto.OpBye, "negotiated", nil))
	w.Until("the session is over", func() bool { return len(w.Sockets()) == 1 })
	for who, sdp := range map[string]string{"the viewer's": v.Offer, "the camera's": answer} {
		for _, line := range []string{"a=ice-pwd:", "a=fingerprint:sha-256 "} {
			_, after, ok := strings.Cut(sdp, line)
			if !ok {
				w.t.Fatalf("%s SDP has no %s", who, line)
			}
			value, _, _ := strings.Cut(after, "\r\n")
			w.plant(who+" "+line, value) // ICE's user names are in clear: RFC 8445 section 7.2.2
		}
	}
}

// altered has the relay change packets under way. A witness who watches directly tells
// what the camera has sent.
func (w *wire) altered(guest *client.Camera) {
	w.t.Helper()
	witness := w.watch(w.owner, client.WatchOptions{})
	w.more(witness, 1)
	for how, url := range map[string]string{"by UDP": w.relay.UDP, "by TCP": w.relay.TCP} {
		victim := w.watch(guest, w.relayed(url))
		w.more(victim, 1)
		before := w.relay.Changed.Load()
		w.relay.Change.Store(true)
		w.more(victim, 5)
		w.relay.Change.Store(false)
		w.more(victim, 3)
		victim.session.Close()
		if n := w.relay.Changed.Load() - before; n < 10 {
			w.t.Errorf("%s only %d packets were changed", how, n)
		}
		w.more(witness, 3)
		w.onlyTrue(how, victim, witness)
	}
	witness.session.Close()
	w.Until("the sessions' sockets are closed", func() bool { return len(w.Sockets()) == 1 })
}

// onlyTrue fails if the victim was given anything that the witness was not.
func (w *wire) onlyTrue(how string, victim, witness *seen) {
	w.t.Helper()
	victim.mu.Lock()
	defer victim.mu.Unlock()
	witness.mu.Lock()
	defer witness.mu.Unlock()
	for kind, l := range map[string][2][][]byte{"picture": {victim.video, witness.video}, "sound": {victim.audio, witness.audio}} {
		sent := map[string]bool{}
		for _, b := range l[1] {
			sent[string(b)] = true
		}
		for i, b := range l[0] {
			if !sent[string(b)] {
				w.t.Errorf("%s %d of %d was shown %s and never sent", kind, i, len(l[0]), how)
			}
		}
	}
}

// decided is privacy mode, a revocation while the guest watches, and the log.
func (w *wire) decided(guest *client.Camera) {
	w.t.Helper()
	ctx := w.patient()
	if _, err := w.owner.Privacy(ctx, true); err != nil {
		w.t.Fatal(err)
	}
	if out, err := w.Run("privacy", "off"); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	s := w.watch(guest, client.WatchOptions{})
	w.more(s, 1)
	if _, err := w.owner.Revoke(ctx, proto.Revoke{Client: guest.Keys().ID()}); err != nil {
		w.t.Fatal(err)
	}
	w.Until("the session's socket is closed", func() bool { return len(w.Sockets()) == 1 })
	w.OutboundOnly("after a revocation")
	if _, err := w.owner.VerifyLog(ctx); err != nil {
		w.t.Error(err)
	}
}

// heard looks for all that was planted in all that was heard, and in what the broker's
// owner saw behind TLS.
func (w *wire) heard() {
	w.t.Helper()
	plain := w.control()
	flows := w.sniffer.Flows()
	bytesOf := map[int]int{}
	for f, b := range flows {
		if slices.Contains(plain, f) {
			for what, values := range w.planted {
				if slices.ContainsFunc(values, func(v []byte) bool { return !bytes.Contains(b, v) }) {
					w.t.Errorf("the sniffer did not hear %s in %v, where it was sent in clear", what, f)
				}
			}
			continue
		}
		bytesOf[f.Protocol] += len(b)
		w.absent(f.String(), b)
	}
	for _, m := range w.evil.Messages() {
		w.absent("a message on "+m.Topic, m.Payload)
	}
	w.encrypted(flows)
	const media = 100 << 10 // some sessions of a few seconds have more
	if bytesOf[unix.IPPROTO_TCP] < media || bytesOf[unix.IPPROTO_UDP] < media {
		w.t.Errorf("heard %d bytes by TCP and %d by UDP, which can't be all", bytesOf[unix.IPPROTO_TCP], bytesOf[unix.IPPROTO_UDP])
	}
	w.t.Logf("%d kinds of things looked for in %d flows, %d bytes by TCP, %d by UDP", len(w.planted), len(flows), bytesOf[unix.IPPROTO_TCP], bytesOf[unix.IPPROTO_UDP])
}

// absent fails if anything planted is in b, as it stands or in base64.
func (w *wire) absent(where string, b []byte) {
	w.t.Helper()
	decoded := w.decode(b)
	for what, values := range w.planted {
		if known := strings.Contains(where, string(w.Device)); known && (what == "the device" || strings.HasSuffix(what, "key's name")) {
			continue // who it goes to and where it comes from is the broker's to know
		}
		if slices.ContainsFunc(values, func(v []byte) bool { return bytes.Contains(b, v) || bytes.Contains(decoded, v) }) {
			w.t.Errorf("%s is in clear in %s", what, where)
		}
	}
}

// decode gives what is base64url in a message, as signed parts are that nobody sealed.
func (*wire) decode(b []byte) (all []byte) {
	for part := range bytes.SplitSeq(b, []byte(".")) {
		text, _ := base64.RawURLEncoding.DecodeString(string(part)) // what comes before an error counts
		all = append(append(all, text...), '\n')
	}
	return all
}

// encrypted fails unless each connection to the broker is TLS 1.3 from its first byte.
func (w *wire) encrypted(flows map[hostile.Flow][]byte) {
	w.t.Helper()
	broker := netip.MustParseAddrPort(w.evil.Address())
	n := 0
	for f, b := range flows {
		if f.Protocol != unix.IPPROTO_TCP || f.From != broker {
			continue
		}
		n++
		// RFC 8446 section 4.2.1: the server's supported_versions selects 0x0304.
		const handshake, serverHello = 22, 2
		length := 0
		if len(b) > 5 {
			length = int(b[3])<<8 | int(b[4])
		}
		if len(b) < 5+length || length < 5 || b[0] != handshake || b[5] != serverHello || !bytes.Contains(b[5:5+length], []byte{0, 43, 0, 2, 3, 4}) {
			w.t.Errorf("%v begins with %x, which is no TLS 1.3", f, b[:min(len(b), 100)])
		}
	}
	if n < 3 { // camd's, the owner's, the guest's
		w.t.Errorf("%d connections to the broker were heard", n)
	}
}

// control sends all that was planted in clear, by UDP and by TCP, and returns these
// flows once they were heard.
func (w *wire) control() []hostile.Flow {
	w.t.Helper()
	var plain []hostile.Flow
	text := bytes.Join(slices.Concat(slices.Collect(maps.Values(w.planted))...), nil)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer listener.Close()
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer packets.Close()
	for protocol, to := range map[int]net.Addr{unix.IPPROTO_TCP: listener.Addr(), unix.IPPROTO_UDP: packets.LocalAddr()} {
		c, err := net.Dial(to.Network(), to.String())
		if err != nil {
			w.t.Fatal(err)
		}
		defer c.Close()
		for part := range slices.Chunk(text, 1<<15) {
			if _, err := c.Write(part); err != nil {
				w.t.Fatal(err)
			}
		}
		plain = append(plain, hostile.Flow{Protocol: protocol, From: netip.MustParseAddrPort(c.LocalAddr().String()), To: netip.MustParseAddrPort(to.String())})
	}
	w.Until("the sniffer has heard what was sent in clear", func() bool {
		flows := w.sniffer.Flows()
		return !slices.ContainsFunc(plain, func(f hostile.Flow) bool { return len(flows[f]) < len(text) })
	})
	return plain
}
