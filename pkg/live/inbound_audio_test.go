package live

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/proto"
)

// mouth is a viewer's audio track that sends whatever a test makes up.
type mouth struct {
	track
	t     *testing.T
	once  sync.Once
	bound chan struct{}
}

func newMouth(t *testing.T) *mouth {
	return &mouth{t: t, bound: make(chan struct{}), track: track{kind: webrtc.RTPCodecTypeAudio, mime: webrtc.MimeTypeOpus, id: "mouth", stream: "viewer"}}
}

func (m *mouth) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := m.track.Bind(c)
	m.once.Do(func() { close(m.bound) })
	return codec, err
}

// say sends one packet after edit; seq is its number.
func (m *mouth) say(seq uint16, payload string, edit func(*rtp.Header)) {
	m.t.Helper()
	must(m.t, m.send(seq, payload, edit))
}

func (m *mouth) send(seq uint16, payload string, edit func(*rtp.Header)) error {
	h := m.header
	h.SequenceNumber, h.Timestamp = seq, 960*uint32(seq)
	if edit != nil {
		edit(&h)
	}
	_, err := m.writer.WriteRTP(&h, []byte(payload))
	return err
}

// word is what a sink was given.
type word struct {
	seq     uint16
	ts      uint32
	payload string
}

// speaker is a connected viewer with a mouth.
func speaker(t *testing.T, r *rig, o peerOptions) (*peer, *mouth) {
	t.Helper()
	m := newMouth(t)
	o.mouth = m
	r.picture(true, 3000)
	p := watch(t, r, "one", o)
	get(t, p.video)
	get(t, m.bound)
	return p, m
}

// listen hears a session.
func listen(t *testing.T, r *rig) (words chan word, stop func(), done <-chan struct{}) {
	t.Helper()
	words = make(chan word, 100)
	stop, done, err := r.Hear("c", "one", func(seq uint16, ts uint32, payload []byte) { words <- word{seq, ts, string(payload)} })
	must(t, err)
	return words, stop, done
}

func unheard(t *testing.T, p *peer, n uint64) {
	t.Helper()
	eventually(t, "every packet is counted", func() bool { return p.session.Stats().Unheard >= n })
	if got := p.session.Stats().Unheard; got != n {
		t.Errorf("%d packets went unheard, want %d", got, n)
	}
}

func TestASessionIsDeafUntilItIsHeard(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	p, m := speaker(t, r, peerOptions{})
	for i := range uint16(3) {
		m.say(i, "before", nil)
	}
	unheard(t, p, 3)
	eventually(t, "the picture that the peer has is counted", func() bool { return p.session.Stats().Frames == 1 })
	sent := p.session.Stats().Packets
	words, stop, _ := listen(t, r)
	m.say(10, "now", nil)
	if got := get(t, words); got != (word{10, 9600, "now"}) {
		t.Errorf("heard %+v", got)
	}
	stop()
	stop()
	m.say(11, "after", nil)
	unheard(t, p, 4)
	words2, stop2, _ := listen(t, r)
	m.say(12, "again", nil)
	if got := get(t, words2); got.payload != "again" {
		t.Errorf("heard %+v", got)
	}
	stop2()
	if n := len(words) + len(words2); n != 0 {
		t.Errorf("%d packets were heard that should not be", n)
	}
	if s := p.session.Stats(); s.Heard != 2 || s.Packets != sent {
		t.Errorf("stats %+v: want 2 packets heard, and nothing sent for it", s)
	}
}

func TestOnlyTheOwnVoiceIsHeard(t *testing.T) {
	whole := func(h *rtp.Header) {
		h.CSRC = []uint32{1, 2, 3}
		must(t, h.SetExtension(1, []byte{0x5a}))
	}
	for name, c := range map[string]struct {
		edit  func(string) string
		first int // packets of another source that come to be heard instead
	}{
		"the source that the offer names": {edit: func(s string) string { return s }},
		"the first source":                {edit: func(s string) string { return strings.ReplaceAll(s, "a=ssrc:", "a=x-ssrc:") }, first: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			p, m := speaker(t, r, peerOptions{edit: c.edit})
			words, stop, _ := listen(t, r)
			defer stop()
			m.say(1, "another kind", func(h *rtp.Header) { h.PayloadType++ })
			m.say(2, "another source and kind", func(h *rtp.Header) { h.SSRC++; h.PayloadType = 0 })
			m.say(3, "", nil)
			if c.first == 0 {
				m.say(4, "another source", func(h *rtp.Header) { h.SSRC++ })
				unheard(t, p, 4)
			}
			m.say(5, "own", whole)
			if got := get(t, words); got != (word{5, 4800, "own"}) {
				t.Errorf("heard %+v", got)
			}
			m.say(6, "another source", func(h *rtp.Header) { h.SSRC += 7 })
			m.say(7, "own", nil)
			if got := get(t, words); got != (word{7, 6720, "own"}) || len(words) != 0 {
				t.Errorf("heard %+v and %d more", got, len(words))
			}
		})
	}
}

func TestNobodyIsHeardWhoMayNotSpeak(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	sink := func(uint16, uint32, []byte) { t.Error("something is heard") }
	hear := func(client proto.ClientID, session string) error {
		_, _, err := r.Hear(client, session, sink)
		if may := r.MayHear(client, session); fmt.Sprint(may) != fmt.Sprint(err) {
			t.Errorf("MayHear says %v, Hear %v", may, err)
		}
		return err
	}
	refused(t, hear("c", "one"), proto.CodeNoSession)
	watch(t, r, "one", peerOptions{edit: func(s string) string { return strings.Replace(s, "a=sendrecv", "a=recvonly", 1) }})
	refused(t, hear("c", "one"), proto.CodeBadRequest)
	refused(t, hear("d", "one"), proto.CodeNoSession)
	watch(t, r, "pictures", peerOptions{noAudio: true})
	refused(t, hear("c", "pictures"), proto.CodeBadRequest)

	p := newPeer(t, peerOptions{})
	_, _, err := r.Start(t.Context(), Offer{Client: "c", Owner: true, Session: "not granted", SDP: p.offer(peerOptions{}), View: true, Signal: p.signal})
	must(t, err)
	refused(t, hear("c", "not granted"), proto.CodeBadRequest)
}

func TestASessionIsHeardByOneAndEndsTheHearing(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	p, m := speaker(t, r, peerOptions{})
	words, _, done := listen(t, r)
	_, _, err := r.Hear("c", "one", func(uint16, uint32, []byte) { t.Error("a second one hears") })
	refused(t, err, proto.CodeTalking)
	m.say(1, "now", nil)
	get(t, words)
	select {
	case <-done:
		t.Error("done while the session lives")
	default:
	}
	p.cancel(proto.Refuse(proto.CodeRevoked))
	get(t, done)
	<-p.session.Done()
	p.session.inbound.take([]byte{0x80, m.header.PayloadType, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	_, _, err = r.Hear("c", "one", func(uint16, uint32, []byte) {})
	refused(t, err, proto.CodeNoSession)
	if len(words) != 0 {
		t.Error("heard after the end")
	}
}

func TestAFloodOfSourcesEndsASessionThatIsHeard(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	p, m := speaker(t, r, peerOptions{})
	words, _, done := listen(t, r)
	for i := range uint32(100) {
		if m.send(uint16(i), "made up", func(h *rtp.Header) { h.SSRC += 1 + i }) != nil {
			break // the camera has ended the session by now
		}
	}
	get(t, done)
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndMedia {
		t.Errorf("reason %q, want %q", got, proto.EndMedia)
	}
	if len(words) != 0 {
		t.Errorf("heard %+v", <-words)
	}
}

// openInbound has no session around it.
func openInbound(sink Sink) (*inboundAudio, func()) {
	e := newInboundAudio(&counters{})
	e.allow(sdp.Offer{Named: true, SSRC: 7}, 111)
	stop, _ := e.open(sink)
	return e, stop
}

// TestAVoiceIsReadAsItComes shows that hearing is in a hurry until it ends.
func TestAVoiceIsReadAsItComes(t *testing.T) {
	e := newInboundAudio(&counters{})
	e.allow(sdp.Offer{Named: true, SSRC: 7}, 111)
	hurried := 0
	e.hurry = func() func() {
		hurried++
		return func() { hurried-- }
	}
	stop, err := e.open(func(uint16, uint32, []byte) {})
	must(t, err)
	if hurried != 1 {
		t.Errorf("in a hurry %d times, want once", hurried)
	}
	stop()
	stop()
	if hurried != 0 {
		t.Errorf("in a hurry %d times after the end", hurried)
	}
}

var spoken = []byte{0x80, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 'x'}

func TestAfterStopNothingIsHeardAnyMore(t *testing.T) {
	e, stop := openInbound(nil)
	stop()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			e.take(spoken)
			runtime.Gosched()
		}
	})
	for range 100 {
		var stopped atomic.Bool
		heard := make(chan struct{}, 1)
		stop, err := e.open(func(uint16, uint32, []byte) {
			if stopped.Load() {
				t.Error("heard after stop")
			}
			select {
			case heard <- struct{}{}:
			default:
			}
		})
		must(t, err)
		<-heard
		stop()
		stopped.Store(true)
	}
	cancel()
	wg.Wait()
}

func TestHearingAllocatesNothing(t *testing.T) {
	e, _ := openInbound(func(uint16, uint32, []byte) {})
	if n := testing.AllocsPerRun(100, func() { e.take(spoken) }); n != 0 {
		t.Errorf("%v allocations for each packet", n)
	}
}

func FuzzInboundAudio(f *testing.F) {
	f.Add(spoken)
	f.Add([]byte{0xb3, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 'x', 'y', 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []byte
		e, _ := openInbound(func(_ uint16, _ uint32, payload []byte) { got = payload })
		e.take(b)
		if got == nil {
			return
		}
		if b[0]>>6 != 2 || b[1]&0x7f != 111 || b[11] != 7 || len(got) == 0 || len(got) > len(b)-12 {
			t.Errorf("heard %x of %x", got, b)
		}
	})
}
