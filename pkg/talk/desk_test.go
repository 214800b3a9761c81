package talk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// room is a desk's surroundings, which note in order what happens.
type room struct {
	t    *testing.T
	desk *Desk

	mu       sync.Mutex
	events   []string
	sink     func(uint16, uint32, []byte)
	over     chan struct{} // the live session's end
	failed   chan struct{} // the speaker's
	silent   time.Duration
	mute     error // what Ready says
	broken   error // what Announce says
	missing  error // what the prompts say
	noVoice  error
	stale    int // times that something else is heard after the notice
	noHear   error
	deaf     error         // what MayHear says
	duration time.Duration // of an announcement
}

func newRoom(t *testing.T) *room {
	r := &room{t: t, over: make(chan struct{}), failed: make(chan struct{}), duration: 2 * time.Second}
	r.desk = New(slog.New(slog.DiscardHandler), r, r, r)
	return r
}

func (r *room) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, what)
}

func (r *room) happened() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *room) Ready() error { return r.mute }

func (r *room) Announce(ctx context.Context, clip [][]byte) error {
	r.note("announcing " + string(clip[0]))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.duration):
	}
	r.note("announced " + string(clip[0]))
	return r.broken
}

func (r *room) Voice(context.Context) (Voice, error) {
	if r.stale > 0 {
		r.stale--
		return nil, fmt.Errorf("the bell was heard: %w", ErrStale)
	}
	if r.noVoice != nil {
		return nil, r.noVoice
	}
	r.note("voice")
	return r, nil
}

func (r *room) Packet(_ uint16, _ uint32, payload []byte) { r.note("packet " + string(payload)) }

func (r *room) Silent() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.silent
}

func (r *room) Done() <-chan struct{} { return r.failed }
func (r *room) Close()                { r.note("voice closed") }

func (r *room) Speaking(m Member) ([][]byte, error) { return [][]byte{[]byte(m.Name)}, r.missing }
func (r *room) Asking(m Member) ([][]byte, error) {
	return [][]byte{[]byte("question about " + m.Name)}, r.missing
}

func (r *room) MayHear(proto.ClientID, string) error { return r.deaf }

func (r *room) Hear(_ proto.ClientID, _ string, sink func(uint16, uint32, []byte)) (func(), <-chan struct{}, error) {
	if r.noHear != nil {
		return nil, nil, r.noHear
	}
	r.note("hear")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink = sink
	return func() {
		r.note("deaf")
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sink = nil
	}, r.over, nil
}

// says has the client's packet come; it is dropped while the session is deaf.
func (r *room) says(text string) {
	r.mu.Lock()
	sink := r.sink
	r.mu.Unlock()
	if sink != nil {
		sink(1, 960, []byte(text))
	}
}

// start has Anna begin, in the background.
func (r *room) start(ctx context.Context, accept bool) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		t, err := r.desk.Start(ctx, Request{Client: "anna", ID: "t", Member: Member{Name: "Anna"}, Live: "s", Accept: accept, Ended: func(reason string) { r.note("told " + reason) }})
		out <- outcome{t, err}
	}()
	synctest.Wait()
	return out
}

type outcome struct {
	talk *Talk
	err  error
}

// begun waits for a talk that has to begin.
func (r *room) begun(out <-chan outcome) *Talk {
	r.t.Helper()
	o := <-out
	if o.err != nil {
		r.t.Fatal(o.err)
	}
	return o.talk
}

func (r *room) refused(o outcome, want proto.Code) {
	r.t.Helper()
	var refusal *proto.Refusal
	if !errors.As(o.err, &refusal) || refusal.Code != want {
		r.t.Fatalf("Start: %v, want %s", o.err, want)
	}
	if who, _ := r.desk.Speaker(); who != "" {
		r.t.Error("who was refused still holds the desk")
	}
}

func (r *room) ended(t *Talk, want string) {
	r.t.Helper()
	select {
	case <-t.Done():
	case <-time.After(2 * idleTime):
		r.t.Fatal("it does not end")
	}
	if t.Reason() != want {
		r.t.Errorf("reason %q, want %q", t.Reason(), want)
	}
	if h := r.happened(); !slices.Equal(h[len(h)-3:], []string{"deaf", "voice closed", "told " + want}) {
		r.t.Errorf("the end: %q", h)
	}
	if who, _ := r.desk.Speaker(); who != "" {
		r.t.Error("the desk is still taken")
	}
}

func TestTheRoomHearsWhoItIsBeforeTheVoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		out := r.start(t.Context(), false)
		for range 100 {
			r.says("too early")
			time.Sleep(19 * time.Millisecond)
		}
		talk := r.begun(out)
		r.says("hello")
		if !r.desk.Bye("anna", "t") {
			t.Error("the talk is not found by its name")
		}
		r.ended(talk, proto.EndBye)
		r.says("too late")
		want := []string{"announcing Anna", "announced Anna", "voice", "hear", "packet hello", "deaf", "voice closed", "told bye"}
		if got := r.happened(); !slices.Equal(got, want) {
			t.Errorf("happened: %q, want %q", got, want)
		}
	})
}

// What is heard between the notice and the voice must not stand for the notice.
func TestTheRoomIsToldAnewAfterSomethingElse(t *testing.T) {
	for stale, want := range map[int]proto.Code{1: "", notices - 1: "", notices: proto.CodeNoSpeaker} {
		synctest.Test(t, func(t *testing.T) {
			r := newRoom(t)
			r.stale = stale
			o := <-r.start(t.Context(), false)
			told := slices.DeleteFunc(r.happened(), func(e string) bool { return e != "announced Anna" })
			if len(told) != min(stale+1, notices) {
				t.Errorf("%d other prompts: announced %d times", stale, len(told))
			}
			if want != "" {
				r.refused(o, want)
				return
			}
			if o.err != nil {
				t.Fatal(o.err)
			}
			r.desk.Bye("anna", "t")
			r.ended(o.talk, proto.EndBye)
		})
	}
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *room)
		want  proto.Code
	}{
		"the card fails amid the notice": {func(r *room) { r.broken = errors.New("ENODEV") }, proto.CodeNoSpeaker},
		"no voice is let in":             {func(r *room) { r.noVoice = errors.New("too late") }, proto.CodeNoSpeaker},
		"nothing to announce with":       {func(r *room) { r.missing = errors.New("no chime") }, proto.CodeNoChime},
		"a session that can't be heard":  {func(r *room) { r.deaf = proto.Refuse(proto.CodeBadRequest) }, proto.CodeBadRequest},
		"a session that has just ended":  {func(r *room) { r.noHear = proto.Refuse(proto.CodeNoSession) }, proto.CodeNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				c.spoil(r)
				r.refused(<-r.start(t.Context(), false), c.want)
				if r.deaf != nil && len(r.happened()) > 0 {
					t.Errorf("the room hears of it: %q", r.happened())
				}
				if h := r.happened(); slices.Contains(h, "voice") && h[len(h)-1] != "voice closed" {
					t.Errorf("a voice is left open: %q", h)
				}
				r.broken, r.noVoice, r.missing, r.noHear, r.deaf = nil, nil, nil, nil, nil
				r.begun(r.start(t.Context(), false)) // the next one may
				r.desk.Bye("anna", "t")
			})
		})
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *room)
		want  proto.Code
	}{
		"all is well":    {func(*room) {}, ""},
		"muted":          {func(r *room) { r.mute = errors.New("level 0") }, proto.CodeNoSpeaker},
		"no chime":       {func(r *room) { r.missing = errors.New("no chime") }, proto.CodeNoChime},
		"someone speaks": {func(r *room) { r.begun(r.start(r.t.Context(), false)) }, proto.CodeTalking},
		"blocked":        {func(r *room) { r.begun(r.start(r.t.Context(), false)); r.desk.Hush() }, proto.CodeBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				c.spoil(r)
				err := r.desk.Check(Member{Name: "Ben"})
				var refusal *proto.Refusal
				if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Code != c.want) {
					t.Errorf("Check: %v, want %q", err, c.want)
				}
				r.desk.Bye("anna", "t")
			})
		})
	}
}

func TestWhatEndsATalk(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(r *room, cancel context.CancelCauseFunc)
		want string
	}{
		"its right":           {func(_ *room, cancel context.CancelCauseFunc) { cancel(proto.Refuse(proto.CodeExpired)) }, "expired"},
		"quiet hours":         {func(_ *room, cancel context.CancelCauseFunc) { cancel(proto.Refuse(proto.CodeQuiet)) }, "quiet_hours"},
		"the live session":    {func(r *room, _ context.CancelCauseFunc) { close(r.over) }, proto.EndBye},
		"the speaker":         {func(r *room, _ context.CancelCauseFunc) { close(r.failed) }, proto.EndSpeaker},
		"a press":             {func(r *room, _ context.CancelCauseFunc) { r.desk.Hush() }, proto.EndPressed},
		"a minute of silence": {func(r *room, _ context.CancelCauseFunc) { r.mu.Lock(); r.silent = idleTime; r.mu.Unlock() }, proto.EndIdle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				talk := r.begun(r.start(ctx, false))
				c.end(r, cancel)
				r.ended(talk, c.want)
			})
		})
	}
}

func TestNobodyElseSpeaksMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		out := r.start(t.Context(), false) // while it is announced, too
		for range 2 {
			_, err := r.desk.Start(t.Context(), Request{Client: "ben", ID: "t", Member: Member{Name: "Ben"}, Live: "s", Ended: func(string) {}})
			var refusal *proto.Refusal
			if !errors.As(err, &refusal) || refusal.Code != proto.CodeTalking {
				t.Errorf("the second one: %v", err)
			}
			if r.desk.Bye("ben", "t") {
				t.Error("somebody else's talk is ended")
			}
			time.Sleep(3 * time.Second)
		}
		talk := r.begun(out)
		r.desk.Bye("anna", "t")
		r.ended(talk, proto.EndBye)
		if slices.Contains(r.happened(), "announcing Ben") {
			t.Error("the second one was announced")
		}
	})
}

func TestAPressEndsAndBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		if r.desk.Hush() {
			t.Error("there was nothing to end")
		}
		out := r.start(t.Context(), false)
		time.Sleep(time.Second) // amid the announcement
		if !r.desk.Hush() {
			t.Error("there was a talk to end")
		}
		r.refused(<-out, proto.CodeBlocked)
		time.Sleep(blockTime - time.Second)
		r.refused(<-r.start(t.Context(), false), proto.CodeBlocked)
		time.Sleep(2 * time.Second)
		talk := r.begun(r.start(t.Context(), false))
		r.desk.Bye("anna", "t")
		r.ended(talk, proto.EndBye)
		if h := r.happened(); slices.Index(h, "voice") < slices.Index(h, "announced Anna") {
			t.Errorf("happened: %q", h)
		}
	})
}

func TestSomeoneInTheRoomLetsItIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		if r.desk.Accept() {
			t.Error("nobody waits")
		}
		r.refused(<-r.start(t.Context(), true), proto.CodeNotAccepted)
		if h := r.happened(); !slices.Equal(h, []string{"announcing question about Anna", "announced question about Anna"}) {
			t.Errorf("happened: %q", h)
		}
		out := r.start(t.Context(), true)
		if r.desk.Accept() {
			t.Error("a press amid the question counts, which was not heard yet")
		}
		time.Sleep(r.duration + acceptTime/2)
		if !r.desk.Accept() || r.desk.Accept() {
			t.Error("one press lets it in")
		}
		talk := r.begun(out)
		r.desk.Bye("anna", "t")
		r.ended(talk, proto.EndBye)
	})
}

// Who ends a talk before anybody could reach the button can be blocked all the same.
func TestAPressJustAfterATalkBlocksTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		ends   time.Duration // after the beginning; the notice takes two seconds
		accept bool
		wait   time.Duration
		want   bool
	}{
		"at once":                 {3 * time.Second, false, 0, true},
		"while one walks there":   {3 * time.Second, false, reach - time.Second, true},
		"too late":                {3 * time.Second, false, reach, false},
		"amid the notice":         {time.Second, false, time.Second, true},
		"after a question only":   {time.Second, true, time.Second, false},
		"after one in the answer": {10 * time.Second, true, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				if r.desk.Block() {
					t.Error("nobody has spoken yet")
				}
				out := r.start(t.Context(), c.accept)
				time.Sleep(c.ends)
				r.desk.Bye("anna", "t")
				if o := <-out; o.err == nil {
					<-o.talk.Done()
				}
				time.Sleep(c.wait)
				if got := r.desk.Block(); got != c.want {
					t.Errorf("blocked: %v", got)
				}
				if r.desk.Block() {
					t.Error("a second press does it again")
				}
				var refusal *proto.Refusal
				if err := r.desk.Check(Member{Name: "Anna"}); errors.As(err, &refusal) != c.want || c.want && refusal.Code != proto.CodeBlocked {
					t.Errorf("then: %v", err)
				}
			})
		})
	}
}

// Whoever is not let in does not have the room rung for all night: not by asking again,
// not by taking the question back, and not by asking as several guests of one member.
func TestTheRoomIsNotAskedOverAndOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ask := func(client proto.ClientID, account string) (asked bool, err error) {
			before := len(r.happened())
			out := make(chan error, 1)
			go func() {
				talk, err := r.desk.Start(t.Context(), Request{Client: client, Account: account, ID: "t", Member: Member{Name: string(client)}, Live: "s", Accept: true, Ended: func(string) {}})
				if err == nil {
					r.desk.Bye(client, "t")
					<-talk.Done()
				}
				out <- err
			}()
			time.Sleep(r.duration / 2)
			if client == "taker-back" {
				r.desk.Bye(client, "t")
			}
			err = <-out
			return len(r.happened()) > before, err
		}
		night := 0
		for began := time.Now(); time.Since(began) < 8*time.Hour; time.Sleep(time.Second) {
			for _, client := range []proto.ClientID{"anna", "taker-back", "guest"} {
				asked, err := ask(client, "account")
				var refusal *proto.Refusal
				if !errors.As(err, &refusal) {
					t.Fatalf("%s: %v", client, err)
				}
				if asked {
					night++
				}
			}
		}
		if want := 8 * 2 * maxAsks; night > want || night < want/2 {
			t.Errorf("the room is asked %d times in a night, want %d", night, want)
		}
		if asked, _ := ask("ben", "another"); !asked {
			t.Error("another member may not ask")
		}
		time.Sleep(askWithin)
		for range 2 * maxAsks { // whoever is let in may ask again
			go func() { time.Sleep(r.duration + acceptTime/2); r.desk.Accept() }()
			if _, err := ask("anna", "account"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestByeAmidTheNoticeLetsNothingIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		out := r.start(t.Context(), false)
		time.Sleep(time.Second)
		if !r.desk.Bye("anna", "t") {
			t.Error("the talk is not found by its name")
		}
		r.refused(<-out, proto.CodeNoSession)
		if slices.Contains(r.happened(), "voice") {
			t.Error("the voice was let in")
		}
	})
}

func TestARightThatEndsAmidTheNoticeLetsNothingIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		out := r.start(ctx, false)
		time.Sleep(time.Second)
		cancel(proto.Refuse(proto.CodeRevoked))
		r.refused(<-out, proto.CodeRevoked)
		if slices.Contains(r.happened(), "voice") {
			t.Error("the voice was let in")
		}
	})
}
