package client

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// room is a camera that lets people talk, and hears them.
type room struct {
	*camera
	asked chan proto.Request // of OpTalk, each jti once
	code  proto.Code
	heard chan *rtp.Packet
}

func newRoom(t *testing.T) (*room, *Camera) {
	cam, c := newCamera(t)
	r := &room{camera: cam, code: proto.CodeOK, asked: make(chan proto.Request, 8), heard: make(chan *rtp.Packet, 64)}
	cam.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			r.heard <- p
		}
	})
	cam.handle = func(q proto.Request) (proto.Code, any) {
		if q.Op != proto.OpTalk {
			return cam.serve(q)
		}
		r.asked <- q
		return r.code, nil
	}
	return r, c
}

func talkable(t *testing.T, c *Camera) *Session {
	t.Helper()
	s, err := c.Watch(t.Context(), WatchOptions{Talk: true})
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func talk(t *testing.T, s *Session) *Talk {
	t.Helper()
	k, err := s.Talk(t.Context(), nil)
	if err != nil {
		t.Fatalf("Talk: %v", err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestATalkIsAskedForAndHeard(t *testing.T) {
	r, c := newRoom(t)
	s := talkable(t, c)
	if !slices.Equal(s.Scopes(), []proto.Scope{proto.ScopeListen}) {
		t.Errorf("scopes %v", s.Scopes())
	}
	<-r.connected
	if offer := s.pc.LocalDescription().SDP; !strings.Contains(offer, "a=sendrecv") {
		t.Errorf("the offer's sound goes one way: %s", offer)
	}
	k := talk(t, s)
	q := <-r.asked
	var body proto.TalkRequest
	if err := json.Unmarshal(q.Body, &body); err != nil || body.Live != s.ID() || q.Session != k.id || q.Session == s.ID() {
		t.Errorf("asked %s for %s of session %s: %v", q.Body, q.Session, s.ID(), err)
	}
	for _, word := range []string{"one", "two", "three"} {
		if err := k.Write([]byte(word), 960); err != nil {
			t.Fatal(err)
		}
	}
	one, two, three := <-r.heard, <-r.heard, <-r.heard
	if string(one.Payload)+string(two.Payload)+string(three.Payload) != "onetwothree" || one.PayloadType != 111 {
		t.Errorf("heard %v, %v, %v", one, two, three)
	}
	if two.SequenceNumber-one.SequenceNumber != 1 || two.Timestamp-one.Timestamp != 960 || three.Timestamp-two.Timestamp != 960 || !one.Marker || two.Marker {
		t.Errorf("heard %v, %v, %v", one, two, three)
	}
	k.Close()
	if sid := <-r.byes; sid != k.id || k.Err() != nil {
		t.Errorf("bye to %s of the talk %s, which ended by %v", sid, k.id, k.Err())
	}
	if err := k.Write([]byte("four"), 960); !errors.Is(err, ErrClosed) {
		t.Errorf("Write = %v", err)
	}
	again := talk(t, s)
	if err := again.Write([]byte("five"), 960); err != nil {
		t.Fatal(err)
	}
	if p := <-r.heard; string(p.Payload) != "five" || p.SequenceNumber-three.SequenceNumber != 1 || !p.Marker {
		t.Errorf("heard %v", p)
	}
	select {
	case <-s.Done():
		t.Error("the end of a talk ended its session")
	default:
	}
}

// The room is told once the talk is in the log: not of one that is refused, or of another's.
func TestATalkIsAnnouncedWhenItsNoticeComes(t *testing.T) {
	for _, code := range []proto.Code{proto.CodeOK, proto.CodeQuiet} {
		r, c := newRoom(t)
		s := talkable(t, c)
		notice := func(session string) {
			e := accesslog.Entry{Version: accesslog.Version, Epoch: 1, Kind: accesslog.KindTalk, Client: c.keys.ID(), Name: "Anna", Session: session}
			n := proto.Notice{Issuer: r.id, Audience: c.keys.ID(), Epoch: 1, Entry: string(must(e.Bytes()))}
			r.mqtt.Publish(proto.TopicOut(r.id, c.keys.ID()), 1, false, must(envelope.SealNotice(n, r.hhSig, r.client.Enc)))
		}
		r.handle = func(q proto.Request) (proto.Code, any) {
			if q.Op != proto.OpTalk {
				return r.serve(q)
			}
			notice("another")
			if code == proto.CodeOK {
				notice(q.Session)
				notice(q.Session) // sent again
			}
			return code, nil
		}
		announced := 0
		k, err := s.Talk(t.Context(), func() { announced++ })
		if (err == nil) != (code == proto.CodeOK) {
			t.Fatalf("Talk = %v", err)
		}
		want := 0
		if k != nil {
			want = 1
			k.Close()
		}
		if announced != want {
			t.Errorf("with the answer %s announced is called %d times, want %d", code, announced, want)
		}
	}
}

func TestARefusedTalkIsNotSaidByeTo(t *testing.T) {
	for _, code := range []proto.Code{proto.CodeScope, proto.CodeTalking, proto.CodeQuiet, proto.CodeNotAccepted, proto.CodeNoSpeaker} {
		t.Run(string(code), func(t *testing.T) {
			r, c := newRoom(t)
			r.code = code
			_, err := c.AskToTalk(t.Context(), "one")
			var refused *Refused
			if !errors.As(err, &refused) || refused.Code != code || err.Error() != code.Sentence() {
				t.Errorf("AskToTalk = %v", err)
			}
			if len(r.byes) != 0 {
				t.Error("said bye to a talk that never began")
			}
		})
	}
}

// Who may not speak because someone else does, is told who.
func TestTheSecondIsToldWhoSpeaks(t *testing.T) {
	r, c := newRoom(t)
	serve := r.handle
	r.handle = func(q proto.Request) (proto.Code, any) {
		switch q.Op {
		case proto.OpTalk:
			return proto.CodeTalking, nil
		case proto.OpStatus:
			return proto.CodeOK, proto.StatusAnswer{Sessions: []proto.Viewer{
				{Name: "Ben", Scopes: []proto.Scope{proto.ScopeView}}, {Name: "Cara", Scopes: []proto.Scope{proto.ScopeListen, proto.ScopeTalk}}}}
		}
		return serve(q)
	}
	_, err := c.AskToTalk(t.Context(), "one")
	var refused *Refused
	if !errors.As(err, &refused) || refused.Code != proto.CodeTalking || !strings.HasPrefix(err.Error(), "Cara is speaking") {
		t.Errorf("AskToTalk = %v", err)
	}
}

func TestTheCameraEndsATalk(t *testing.T) {
	r, c := newRoom(t)
	s := talkable(t, c)
	k := talk(t, s)
	r.signal(k.id, proto.SignalEnd, proto.End{Reason: proto.EndPressed}, 0)
	<-k.Done()
	if k.Reason() != proto.EndPressed || !errors.Is(k.Err(), ErrLost) || k.Err().Error() != TalkEndSentence(proto.EndPressed) {
		t.Errorf("ended by %q, %v", k.Reason(), k.Err())
	}
	if err := k.Write([]byte("x"), 960); !errors.Is(err, k.Err()) {
		t.Errorf("Write = %v", err)
	}
	k.Close()
	if len(r.byes) != 0 {
		t.Error("said bye to a talk that the camera had ended")
	}
}

func TestATalkEndsWithItsSession(t *testing.T) {
	r, c := newRoom(t)
	s := talkable(t, c)
	k := talk(t, s)
	r.signal(s.ID(), proto.SignalEnd, proto.End{Reason: string(proto.CodePrivacy)}, 0)
	<-k.Done()
	if k.Err() == nil || k.Err().Error() != proto.CodePrivacy.Sentence() {
		t.Errorf("ended by %v", k.Err())
	}
	k.Close()
	s.Close()
	if len(r.byes) != 0 {
		t.Error("said bye to what the camera had ended")
	}
}

func TestATalkIsAskedForLongerAndBegunOnce(t *testing.T) {
	if wait := attempts(proto.OpTalk) * int(answerTimeout.Seconds()); wait != 40 || attempts(proto.OpLive) != maxAttempts {
		t.Errorf("a talk is waited for %d s", wait)
	}
	r, c := newRoom(t)
	late := talkAttempts - 1
	r.tamper = func(q proto.Request, a *proto.Answer) {
		if q.Op == proto.OpTalk && late > 0 {
			late--
			a.Code = proto.CodeStale
		}
	}
	k, err := c.AskToTalk(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	if len(r.asked) != 1 {
		t.Errorf("begun %d times", len(r.asked))
	}
}

func TestOnlyASessionForTalkingTalks(t *testing.T) {
	r, c := newRoom(t)
	w := watch(t, c)
	if _, err := w.Talk(t.Context(), nil); !errors.Is(err, errMute) || len(r.asked) != 0 {
		t.Errorf("Talk = %v, and %d requests", err, len(r.asked))
	}
	k, err := c.AskToTalk(t.Context(), w.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Write([]byte("x"), 960); !errors.Is(err, errMute) {
		t.Errorf("Write = %v", err)
	}
	k.Close()
	k.Close()
	if sid := <-r.byes; sid != k.id {
		t.Errorf("bye to %s, want %s", sid, k.id)
	}
}

func TestTalkEndSentences(t *testing.T) {
	for reason, want := range map[string]string{
		proto.EndIdle:                  "Nobody spoke",
		proto.EndSpeaker:               "speaker",
		string(proto.CodeQuiet):        proto.CodeQuiet.Sentence(),
		string(proto.CodeRevoked):      proto.CodeRevoked.Sentence(),
		"something of a later version": "something of a later version",
	} {
		if got := TalkEndSentence(reason); !strings.Contains(got, want) {
			t.Errorf("TalkEndSentence(%q) = %q", reason, got)
		}
	}
}
