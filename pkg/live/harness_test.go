package live

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

// chromium is the shape of an offer of Chromium 156 with one H.264 and Opus chosen.
//
//go:embed sdp/testdata/chromium.sdp
var chromium string

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const patience = 20 * time.Second // for what must come; nothing is measured by it

// fakeCamera publishes pictures only when the test says so.
type fakeCamera struct {
	force bool

	mu       sync.Mutex
	format   *media.VideoFormat
	bitrates []int
	asked    chan struct{}
}

func newCamera(force bool) *fakeCamera {
	f := media.VideoFormat{Width: 640, Height: 480, Rate: 30, ProfileLevelID: "42c01f", CanForceIDR: force}
	return &fakeCamera{force: force, format: &f, asked: make(chan struct{}, 100)}
}

func (c *fakeCamera) RequestKeyframe() { c.asked <- struct{}{} }

func (c *fakeCamera) Bitrate() int { return 1_500_000 }

func (c *fakeCamera) SetBitrate(bps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bitrates = append(c.bitrates, bps)
}

func (c *fakeCamera) Format() (media.VideoFormat, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.format == nil {
		return media.VideoFormat{}, false
	}
	return *c.format, true
}

// rig is a running Server with its feeds.
type rig struct {
	*Server
	t      testing.TB
	camera *fakeCamera
	video  *media.Feed[*media.AccessUnit]
	audio  *media.Feed[*media.AudioFrame]
	board  *health.Board
	stop   func()
	units  *media.Pool[media.AccessUnit]
	frames *media.Pool[media.AudioFrame]
}

func newRig(t testing.TB, cfg Config, camera *fakeCamera) *rig {
	t.Helper()
	return newLitRig(t, cfg, camera, nil)
}

// newLitRig is a rig with a live LED, which is looked at all the time.
func newLitRig(t testing.TB, cfg Config, camera *fakeCamera, light Indicator) *rig {
	t.Helper()
	return newTestRig(t, cfg, camera, func(d *Deps) { d.Indicator = light })
}

// newTestRig is a rig with other parts than usual.
func newTestRig(t testing.TB, cfg Config, camera *fakeCamera, change func(*Deps)) *rig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(newTestWriter(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := &rig{
		t: t, camera: camera, board: health.NewBoard(log),
		video: media.NewFeed[*media.AccessUnit](), audio: media.NewFeed[*media.AudioFrame](),
		units: media.NewPool[media.AccessUnit](2), frames: media.NewPool[media.AudioFrame](2),
	}
	deps := Deps{Video: r.video, Audio: r.audio, Camera: camera}
	change(&deps)
	s, err := New(cfg, log, r.board, deps)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = s
	s.indicatorCheck = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Run(ctx, func() { close(ready) }) }()
	<-ready
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// testWriter logs until its test has ended: goroutines of pion, which nobody can wait for,
// may still have something to say then.
type testWriter struct {
	t testing.TB

	mu    sync.Mutex
	ended bool
}

func newTestWriter(t testing.TB) *testWriter {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	})
	return w
}

func (w *testWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if testing.Verbose() && !w.ended {
		w.t.Logf("%s", bytes.TrimSpace(b))
	}
	return len(b), nil
}

// picture publishes one access unit now and returns its NAL units' concatenation.
func (r *rig) picture(key bool, size int) []byte {
	u := r.units.Get()
	defer u.Release()
	u.Data = appendUnit(u.Data, key, size)
	u.PTS, u.Key = media.Now(), key
	data := bytes.Clone(u.Data)
	r.video.Publish(u)
	return data
}

func (r *rig) sound() {
	f := r.frames.Get()
	defer f.Release()
	f.Data = append(f.Data, 0xfc, 0xff, 0xfe)
	f.PTS = media.Now()
	r.audio.Publish(f)
}

// stream publishes pictures and sound until the test ends.
func (r *rig) stream(every time.Duration, gop int) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			r.picture(i%gop == 0, 5000)
			r.sound()
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	r.t.Cleanup(func() { close(stop); <-done })
}

// appendUnit makes an access unit in Annex B form with a slice of random bytes.
func appendUnit(b []byte, key bool, size int) []byte {
	nal := make([]byte, size)
	_, _ = rand.Read(nal)
	for i, x := range nal {
		nal[i] = x | 1 // no start codes, no trailing zeros
	}
	nal[0] = 0x41
	if key {
		b = append(b, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x95, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x81)
		nal[0] = 0x65
	}
	b = append(b, 0, 0, 0, 1)
	return append(b, nal...)
}

// peer is a viewer: a plain pion client.
type peer struct {
	t       testing.TB
	pc      *webrtc.PeerConnection
	signals chan any
	video   chan *rtp.Packet
	audio   chan *rtp.Packet
	reports chan rtcp.Packet
	session *Session
	answer  string
	cancel  context.CancelCauseFunc
}

type peerOptions struct {
	engine  func(*webrtc.SettingEngine)
	servers []webrtc.ICEServer
	relay   bool
	edit    func(sdp string) string // of the offer
	trickle bool                    // send the offer without candidates
	noAudio bool
	noExt   bool
	rtx     bool              // offer RTX
	cc      bool              // offer transport-wide numbers and their feedback
	mouth   webrtc.TrackLocal // what the viewer speaks with
}

func newPeer(t testing.TB, o peerOptions) *peer {
	t.Helper()
	var e webrtc.SettingEngine
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetIncludeLoopbackCandidate(true)
	e.SetPrflxAcceptanceMinWait(0)
	e.SetHostAcceptanceMinWait(0)
	e.SetRelayAcceptanceMinWait(0)
	if o.engine != nil {
		o.engine(&e)
	}
	m := &webrtc.MediaEngine{}
	fb := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	var soundFB []webrtc.RTCPFeedback
	if o.cc {
		soundFB = []webrtc.RTCPFeedback{{Type: "transport-cc"}}
		fb = append(fb, soundFB...)
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
			must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: rtc.TransportCC}, kind))
		}
	}
	must(t, m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, RTCPFeedback: fb,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}, PayloadType: 108}, webrtc.RTPCodecTypeVideo))
	if o.rtx {
		must(t, m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=108"}, PayloadType: 109}, webrtc.RTPCodecTypeVideo))
	}
	must(t, m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, RTCPFeedback: soundFB}, PayloadType: 96}, webrtc.RTPCodecTypeAudio))
	if !o.noExt {
		must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: rtc.PlayoutDelay}, webrtc.RTPCodecTypeVideo))
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(e), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	c := webrtc.Configuration{ICEServers: o.servers}
	if o.relay {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pc, err := api.NewPeerConnection(c)
	must(t, err)
	p := &peer{t: t, pc: pc, signals: make(chan any, 100), video: make(chan *rtp.Packet, 5000),
		audio: make(chan *rtp.Packet, 5000), reports: make(chan rtcp.Packet, 100)}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	must(t, err)
	switch {
	case o.mouth != nil:
		_, err = pc.AddTransceiverFromTrack(o.mouth, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		must(t, err)
	case !o.noAudio:
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		must(t, err)
	}
	pc.OnTrack(p.receive)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *peer) receive(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	packets := p.video
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		packets = p.audio
	}
	go func() {
		for {
			l, _, err := r.ReadRTCP()
			if err != nil {
				return
			}
			for _, x := range l {
				select {
				case p.reports <- x:
				default:
				}
			}
		}
	}()
	for {
		x, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		select {
		case packets <- x:
		default:
		}
	}
}

// offer makes the offer's text, candidates included unless they are trickled.
func (p *peer) offer(o peerOptions) string {
	p.t.Helper()
	d, err := p.pc.CreateOffer(nil)
	must(p.t, err)
	gathered := webrtc.GatheringCompletePromise(p.pc)
	must(p.t, p.pc.SetLocalDescription(d))
	if o.trickle {
		return d.SDP
	}
	<-gathered
	return p.pc.LocalDescription().SDP
}

func (p *peer) signal(_ proto.SignalKind, body any) { p.signals <- body }

// start asks for a session and applies the answer.
func (p *peer) start(r *rig, session string, o peerOptions) {
	p.t.Helper()
	text := p.offer(o)
	if o.edit != nil {
		text = o.edit(text)
	}
	p.begin(r, session, text)
}

// begin sends an offer and applies the answer.
func (p *peer) begin(r *rig, session, text string) {
	p.t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cancel = cancel
	s, answer, err := r.Start(ctx, Offer{Client: "c", Sponsor: "c", Owner: true, Session: session, SDP: text, View: true, Listen: true, Signal: p.signal})
	must(p.t, err)
	p.session, p.answer = s, answer
	must(p.t, p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

func candidateInit(c proto.Candidate) webrtc.ICECandidateInit {
	return webrtc.ICECandidateInit(c)
}

func watch(t testing.TB, r *rig, session string, o peerOptions) *peer {
	t.Helper()
	p := newPeer(t, o)
	p.start(r, session, o)
	return p
}

func get[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatalf("waited %v for %T", patience, *new(T))
		panic("unreachable")
	}
}
