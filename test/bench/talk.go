package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/sound"
)

const (
	// held is what a card holds ahead of a voice's next frame, as pkg/audio keeps it: so
	// long after it was given, a sample is heard.
	held = 40 * time.Millisecond
	// reach is how late a block of a voice is looked for.
	reach = sound.Rate
	// found is what a block that was found is like.
	found = 0.9
)

// networks are those that a voice is carried by.
var networks = []struct {
	name string
	sound.Network
}{
	{"over loopback", sound.Network{}},
	{"with 60 ms of jitter and 5 % of loss", sound.Network{Jitter: 60 * time.Millisecond, Loss: 0.05}},
}

// ear is where a voice ends up: a camera's speaker, or plain pion.
type ear interface {
	// listen lets what wire sends be heard, and returns how to stop that.
	listen(ctx context.Context) (wire *sound.Wire, first *int, stop func(), err error)
	// heard is all that was given to the card since listen, and when.
	heard() (samples []int16, given growth, err error)
}

// growth is how many samples were there at which time.
type growth []given

type given struct {
	at      time.Time
	samples int
}

// when tells when a sample was given.
func (g growth) when(sample int) time.Time {
	for _, x := range g {
		if x.samples > sample {
			return x.at
		}
	}
	return time.Time{}
}

// mouthToEar speaks to a camera, and to plain pion that decodes what comes as it comes.
func (b *bench) mouthToEar() error {
	h, err := b.householdThat(smallCamera, "source = \"tone\"\nspeaker = \"file\"\n")
	if err != nil {
		return err
	}
	defer h.close()
	camera := &roomEar{h: h}
	defer camera.close()
	voice := audiotest.Voice(7, int(b.Window.Seconds())*sound.Rate)
	packets, err := sound.Encode(voice)
	if err != nil {
		return err
	}
	for i := range b.Rounds {
		for _, n := range networks {
			for kind, e := range map[string]ear{"camd": camera, "plain": &plainEar{}} {
				s := speech{b: b, kind: kind, how: n.name, network: n.Network, seed: uint64(i), voice: voice, packets: packets}
				if err := s.measure(e); err != nil {
					return fmt.Errorf("%s, %s: %w", kind, n.name, err)
				}
			}
		}
	}
	return nil
}

// speech is one voice on its way to one ear.
type speech struct {
	b       *bench
	kind    string
	how     string
	network sound.Network
	seed    uint64
	voice   []int16
	packets [][]byte
}

func (s speech) measure(e ear) error {
	ctx, cancel := context.WithTimeout(s.b.ctx, patience+s.b.Window)
	defer cancel()
	wire, first, stop, err := e.listen(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	_, err = s.network.Send(s.seed, began, *first, s.packets, wire.Send)
	*first += len(s.packets)
	if err == nil {
		err = s.b.pause(time.Second)
	}
	samples, given, failed := e.heard()
	stop()
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	s.report(began, samples, given)
	return nil
}

// report finds each block of 100 ms where it was heard, and compares when its first
// packet was handed over with when it was given to the card.
func (s speech) report(began time.Time, samples []int16, given growth) {
	all := sound.Matches(s.voice, samples, reach)
	var took []time.Duration
	for _, m := range all {
		at := given.when(m.Heard)
		if m.Likeness < found || at.IsZero() {
			continue
		}
		handed := began.Add(time.Duration(m.Sent/opus.FrameSamples) * sound.Pace)
		took = append(took, at.Sub(handed)+held)
	}
	if len(took) > 0 {
		for _, q := range []string{"p50", "p95"} {
			s.b.report.add(s.kind, "mouth to ear "+s.how+", "+q, "ms", ms(quantile(took, quantiles[q])))
		}
	}
	s.b.report.add(s.kind, "frames that were heard as they were spoken, "+s.how, "%", 100*sound.Clear(s.voice, samples, all))
}

// mouth is a peer that sends a voice and takes no sound.
type mouth struct {
	*webrtc.PeerConnection
	wire  *sound.Wire
	first int // number of the next packet
}

func newMouth() (m *mouth, offer string, err error) {
	m = &mouth{wire: &sound.Wire{}}
	if m.PeerConnection, err = overLoopback().NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, "", err
	}
	if _, err := m.AddTransceiverFromTrack(m.wire, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv}); err != nil {
		return nil, "", err
	}
	offer, err = described(m.PeerConnection, func() (webrtc.SessionDescription, error) { return m.CreateOffer(nil) })
	return m, offer, err
}

func overLoopback() *webrtc.API {
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	return webrtc.NewAPI(webrtc.WithSettingEngine(e))
}

// described sets an own description, and gives it with all candidates.
func described(pc *webrtc.PeerConnection, create func() (webrtc.SessionDescription, error)) (string, error) {
	d, err := create()
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

// connect applies an answer and waits for the connection.
func (m *mouth) connect(ctx context.Context, answer string) error {
	connected := make(chan struct{})
	once := sync.OnceFunc(func() { close(connected) })
	m.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once()
		}
	})
	if err := m.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return err
	}
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// roomEar is the speaker of a camera.
type roomEar struct {
	h     *household
	mouth *mouth
	from  int64 // bytes of the file before the talk
	given growth
	err   error
	over  chan struct{}
	wg    sync.WaitGroup
}

const liveSession = "bench"

func (e *roomEar) listen(ctx context.Context) (*sound.Wire, *int, func(), error) {
	if e.mouth == nil {
		if err := e.watch(ctx); err != nil {
			return nil, nil, nil, err
		}
	}
	var talk *client.Talk
	var err error
	for {
		if talk, err = e.h.owner.AskToTalk(ctx, liveSession); err == nil {
			break
		}
		select { // the talk before is still heard for a moment
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, nil, err
		}
	}
	info, err := os.Stat(e.h.played())
	if err != nil {
		return nil, nil, nil, err
	}
	e.from, e.given, e.over = info.Size(), nil, make(chan struct{})
	e.wg.Go(e.follow)
	return e.mouth.wire, &e.mouth.first, talk.Close, nil
}

// watch begins the session through which the voice goes.
func (e *roomEar) watch(ctx context.Context) (err error) {
	m, offer, err := newMouth()
	if err != nil {
		return err
	}
	e.mouth = m
	a, err := e.h.owner.Call(ctx, proto.OpLive, liveSession, proto.LiveRequest{SDP: offer, Scopes: []proto.Scope{proto.ScopeListen}})
	if err != nil {
		return err
	}
	var live proto.LiveAnswer
	if err := json.Unmarshal(a.Body, &live); err != nil {
		return err
	}
	return m.connect(ctx, live.SDP)
}

// follow notes when the file grows, to a millisecond.
func (e *roomEar) follow() {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for last := int64(0); ; {
		select {
		case <-e.over:
			return
		case <-look.C:
		}
		var info fs.FileInfo
		if info, e.err = os.Stat(e.h.played()); e.err != nil {
			return
		}
		if n := (info.Size() - e.from) / 2; n > last {
			last = n
			e.given = append(e.given, given{time.Now(), int(n)})
		}
	}
}

func (e *roomEar) heard() ([]int16, growth, error) {
	close(e.over)
	e.wg.Wait()
	if e.err != nil {
		return nil, nil, e.err
	}
	raw, err := os.ReadFile(e.h.played())
	if err != nil {
		return nil, nil, err
	}
	return sound.Samples(raw[e.from:]), e.given, nil
}

func (e *roomEar) close() {
	if e.mouth != nil {
		_ = e.mouth.Close()
	}
}

// plainEar is what one writes with pion without further thought: each packet is decoded
// as it comes, and given to the card, which plays silence while it has nothing.
type plainEar struct {
	began time.Time

	mu      sync.Mutex
	samples []int16
	given   growth // when the card plays them
}

func (e *plainEar) listen(ctx context.Context) (*sound.Wire, *int, func(), error) {
	m, offer, err := newMouth()
	if err != nil {
		return nil, nil, nil, err
	}
	pc, err := overLoopback().NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, nil, nil, err
	}
	stop := func() { _ = m.Close(); _ = pc.Close() }
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		d := opus.NewDecoder()
		for {
			p, _, err := t.ReadRTP()
			if err != nil {
				return
			}
			e.play(d, p)
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		stop()
		return nil, nil, nil, err
	}
	answer, err := described(pc, func() (webrtc.SessionDescription, error) { return pc.CreateAnswer(nil) })
	if err == nil {
		err = m.connect(ctx, answer)
	}
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	e.began = time.Now()
	return m.wire, &m.first, stop, nil
}

func (e *plainEar) play(d *opus.Decoder, p *rtp.Packet) {
	frame := make([]int16, opus.MaxSamples)
	n, err := d.Decode(frame, p.Payload)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if dry := int(time.Since(e.began).Microseconds()*sound.Rate/1e6) - len(e.samples); dry > 0 {
		e.samples = append(e.samples, make([]int16, dry)...)
	}
	at := e.began.Add(time.Duration(len(e.samples)) * time.Second / sound.Rate)
	e.samples = append(e.samples, frame[:n]...)
	e.given = append(e.given, given{at, len(e.samples)})
}

func (e *plainEar) heard() ([]int16, growth, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.samples, e.given, nil
}
