package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/client/receive/receivetest"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/proto"
)

// camera answers live requests with plain pion and sends what the test says.
type camera struct {
	*device
	pc        *webrtc.PeerConnection
	video     *webrtc.TrackLocalStaticRTP
	audio     *webrtc.TrackLocalStaticRTP
	connected chan struct{}

	once sync.Once
	byes chan string // sessions that were ended by the client
}

func newCamera(t *testing.T) (*camera, *Camera) {
	d, c := dialled(t)
	cam := &camera{device: d, connected: make(chan struct{}), byes: make(chan string, 8)}
	cam.pc = must(newPeer(nil, false, quiet))
	t.Cleanup(func() {
		if err := cam.pc.Close(); err != nil {
			t.Error(err)
		}
	})
	cam.video = must(webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: rtc.VideoClock}, "video", "camera"))
	cam.audio = must(webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: rtc.AudioClock, Channels: 2}, "audio", "camera"))
	must(cam.pc.AddTrack(cam.video))
	must(cam.pc.AddTrack(cam.audio))
	cam.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			cam.once.Do(func() { close(cam.connected) })
		}
	})
	d.handle = cam.serve
	return cam, c
}

func (c *camera) serve(r proto.Request) (proto.Code, any) {
	switch r.Op {
	case proto.OpLive:
		var live proto.LiveRequest
		if err := json.Unmarshal(r.Body, &live); err != nil {
			return proto.CodeBadRequest, nil
		}
		return proto.CodeOK, proto.LiveAnswer{SDP: c.answerTo(live.SDP), Scopes: live.Scopes}
	case proto.OpCandidate:
		var l proto.Candidates
		if err := json.Unmarshal(r.Body, &l); err != nil {
			return proto.CodeBadRequest, nil
		}
		for _, x := range l.Candidates {
			err := c.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: x.Candidate, SDPMid: x.SDPMid})
			if err != nil && c.pc.ConnectionState() != webrtc.PeerConnectionStateClosed { // its viewer may have gone
				c.t.Errorf("candidate %q: %v", x.Candidate, err)
			}
		}
	case proto.OpBye:
		c.byes <- r.Session
	}
	return proto.CodeOK, nil
}

func (c *camera) answerTo(offer string) string {
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		c.t.Error(err)
		return ""
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(must(c.pc.CreateAnswer(nil))); err != nil {
		c.t.Error(err)
	}
	<-gathered
	return c.pc.LocalDescription().SDP
}

func (c *camera) send(track *webrtc.TrackLocalStaticRTP, l ...*rtp.Packet) {
	for _, p := range l {
		p.Version = 2
		if err := track.WriteRTP(p); err != nil {
			c.t.Error(err)
		}
	}
}

// watched is a session with its frames.
type watched struct {
	*Session
	video, audio chan Frame
}

func watch(t *testing.T, c *Camera) watched {
	t.Helper()
	w := watched{video: make(chan Frame, 64), audio: make(chan Frame, 64)}
	var err error
	w.Session, err = c.Watch(t.Context(), WatchOptions{Video: func(f Frame) { w.video <- f }, Audio: func(f Frame) { w.audio <- f }})
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestSessionDeliversFrames(t *testing.T) {
	cam, c := newCamera(t)
	w := watch(t, c)
	if !slices.Equal(w.Scopes(), []proto.Scope{proto.ScopeView, proto.ScopeListen}) {
		t.Errorf("scopes %v", w.Scopes())
	}
	<-cam.connected
	cam.send(cam.video, receivetest.Packets(receivetest.Delta, receivetest.IDR, receivetest.Delta)...)
	cam.send(cam.audio, &rtp.Packet{Header: rtp.Header{SequenceNumber: 7, Timestamp: 960}, Payload: []byte("opus")})
	key, next, sound := <-w.video, <-w.video, <-w.audio
	if !key.Key || !bytes.Equal(key.Data, receivetest.IDR) || next.Key || !bytes.Equal(next.Data, receivetest.Delta) || next.Timestamp-key.Timestamp != 3000 {
		t.Errorf("pictures of %d and %d bytes at %d and %d", len(key.Data), len(next.Data), key.Timestamp, next.Timestamp)
	}
	if string(sound.Data) != "opus" || sound.Timestamp != 960 {
		t.Errorf("sound %+v", sound)
	}
	st := w.Stats()
	if st.Connected <= 0 || st.Video.FirstFrame <= 0 || st.Video.Frames != 2 || st.Video.Keyframes != 1 || st.Video.Dropped != 1 || st.Audio.Frames != 1 || st.Path == "" {
		t.Errorf("%+v", st)
	}
	w.Close()
	if sid := <-cam.byes; sid != w.ID() || w.Err() != nil {
		t.Errorf("bye for %s of %s, ended by %v", sid, w.ID(), w.Err())
	}
}

func TestCameraEndsTheSession(t *testing.T) {
	cam, c := newCamera(t)
	w := watch(t, c)
	cam.signal(w.ID(), proto.SignalEnd, proto.End{Reason: proto.EndRevoked}, 0)
	<-w.Done()
	if err := w.Err(); !errors.Is(err, ErrLost) || err.Error() != EndSentence(proto.EndRevoked) {
		t.Errorf("Err() = %v", err)
	}
	w.Close()
	if len(cam.byes) != 0 {
		t.Error("said bye to a session that the camera had ended")
	}
}

func TestUnusableAnswerIsSaidByeTo(t *testing.T) {
	d, c := dialled(t)
	byes := make(chan string, 1)
	d.handle = func(r proto.Request) (proto.Code, any) {
		if r.Op == proto.OpBye {
			byes <- r.Session
		}
		return proto.CodeOK, proto.LiveAnswer{SDP: "no SDP"}
	}
	_, err := c.Watch(t.Context(), WatchOptions{Video: func(Frame) {}})
	var p *home.Problem
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "can't be started") {
		t.Errorf("Watch = %v", err)
	}
	if sid := <-byes; sid == "" {
		t.Error("bye without a session")
	}
}

func TestRates(t *testing.T) {
	before := Stats{At: time.Unix(0, 0), Video: receive.Stats{Frames: 10, Bytes: 1000, Packets: 100, Lost: 1}}
	now := Stats{At: time.Unix(2, 0), Video: receive.Stats{Frames: 40, Bytes: 251000, Packets: 190, Lost: 11}, Audio: receive.Stats{Bytes: 8000}}
	want := Rates{FPS: 15, VideoKbps: 1000, AudioKbps: 32, Loss: 0.1}
	if got := now.Since(before); got != want {
		t.Errorf("Since = %+v, want %+v", got, want)
	}
	if got := before.Since(before); got != (Rates{}) {
		t.Errorf("no time gives %+v", got)
	}
}

func TestEndSentences(t *testing.T) {
	for reason, want := range map[string]string{
		proto.EndSilent:                "half a minute",
		proto.EndPicture:               "no picture with which this viewer can start",
		string(proto.CodeRevoked):      proto.CodeRevoked.Sentence(),
		string(proto.CodePrivacy):      proto.CodePrivacy.Sentence(),
		string(proto.CodeSchedule):     proto.CodeSchedule.Sentence(),
		"something of a later version": "something of a later version",
	} {
		if got := EndSentence(reason); !strings.Contains(got, want) {
			t.Errorf("EndSentence(%q) = %q", reason, got)
		}
	}
}

// incoming is a stream of pictures that is read as pion's is. What comes again is read before
// it waits for the next packet, but doesn't end the wait.
type incoming struct {
	next, again []*rtp.Packet
	deadline    time.Time
}

func (s *incoming) SetReadDeadline(t time.Time) error {
	s.deadline = t
	return nil
}

func (s *incoming) ReadRTP() (*rtp.Packet, interceptor.Attributes, error) {
	switch {
	case len(s.next) > 0:
		p := s.next[0]
		s.next = s.next[1:]
		return p, nil, nil
	case s.deadline.IsZero():
		return nil, nil, io.EOF // here it would wait without end
	}
	s.next, s.again = s.again, nil
	return nil, nil, os.ErrDeadlineExceeded
}

// TestWhatComesAgainWaitsForNoOtherPacket loses one packet of a picture. When it comes again,
// the picture is there, though nothing follows.
func TestWhatComesAgainWaitsForNoOtherPacket(t *testing.T) {
	l := receivetest.Packets(receivetest.IDR)
	const lost = 3
	from := &incoming{next: slices.Concat(l[:lost], l[lost+1:]), again: l[lost : lost+1]}
	r := receive.NewVideo(time.Now())
	var got [][]byte
	for {
		p, err := readPacket(from, r)
		if err != nil {
			break
		}
		r.Packet(p, time.Now(), func(f Frame) { got = append(got, f.Data) })
	}
	if len(got) != 1 || !bytes.Equal(got[0], receivetest.IDR) {
		t.Errorf("%d pictures, want 1", len(got))
	}
}
