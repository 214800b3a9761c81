package talk

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

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
		if !r.floor.Bye("anna", "t") {
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
	for stale, want := range map[int]proto.Code{1: "", notices - 1: "", notices: proto.CodeBusy} {
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
			r.floor.Bye("anna", "t")
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
				r.floor.Bye("anna", "t")
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
		"blocked":        {func(r *room) { r.begun(r.start(r.t.Context(), false)); r.floor.EndTalk() }, proto.CodeBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				c.spoil(r)
				err := r.floor.Check(Member{Name: "Ben"})
				var refusal *proto.Refusal
				if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Code != c.want) {
					t.Errorf("Check: %v, want %q", err, c.want)
				}
				r.floor.Bye("anna", "t")
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
		"the live session":    {func(r *room, _ context.CancelCauseFunc) { close(r.over) }, proto.EndSession},
		"camd stops":          {func(_ *room, cancel context.CancelCauseFunc) { cancel(nil) }, proto.EndShutdown},
		"the speaker":         {func(r *room, _ context.CancelCauseFunc) { close(r.failed) }, proto.EndSpeaker},
		"a press":             {func(r *room, _ context.CancelCauseFunc) { r.floor.EndTalk() }, proto.EndPressed},
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
			_, err := r.floor.Start(t.Context(), Request{Client: "ben", ID: "t", Member: Member{Name: "Ben"}, Live: "s", Ended: func(string) {}})
			var refusal *proto.Refusal
			if !errors.As(err, &refusal) || refusal.Code != proto.CodeTalking {
				t.Errorf("the second one: %v", err)
			}
			if r.floor.Bye("ben", "t") {
				t.Error("somebody else's talk is ended")
			}
			time.Sleep(3 * time.Second)
		}
		talk := r.begun(out)
		r.floor.Bye("anna", "t")
		r.ended(talk, proto.EndBye)
		if slices.Contains(r.happened(), "announcing Ben") {
			t.Error("the second one was announced")
		}
	})
}

func TestAPressEndsAndBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		if r.floor.EndTalk() {
			t.Error("there was nothing to end")
		}
		out := r.start(t.Context(), false)
		time.Sleep(time.Second) // amid the announcement
		if !r.floor.EndTalk() {
			t.Error("there was a talk to end")
		}
		r.refused(<-out, proto.CodeBlocked)
		time.Sleep(blockTime - time.Second)
		r.refused(<-r.start(t.Context(), false), proto.CodeBlocked)
		time.Sleep(2 * time.Second)
		talk := r.begun(r.start(t.Context(), false))
		r.floor.Bye("anna", "t")
		r.ended(talk, proto.EndBye)
		if h := r.happened(); slices.Index(h, "voice") < slices.Index(h, "announced Anna") {
			t.Errorf("happened: %q", h)
		}
	})
}

// TestNoVoiceFollowsTheQuestion: it announces nobody, so that the speaker still refuses a
// voice for which nothing else was played.
func TestNoVoiceFollowsTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		out := r.start(t.Context(), true)
		time.Sleep(r.duration + acceptTime/2)
		if _, err := r.Voice(t.Context()); !errors.Is(err, ErrStale) {
			t.Errorf("a voice after the question alone: %v, want ErrStale", err)
		}
		r.refused(<-out, proto.CodeNotAccepted)
	})
}

func TestSomeoneInTheRoomLetsItIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		if r.floor.Accept() {
			t.Error("nobody waits")
		}
		r.refused(<-r.start(t.Context(), true), proto.CodeNotAccepted)
		if h := r.happened(); !slices.Equal(h, []string{"announcing question about Anna", "announced question about Anna"}) {
			t.Errorf("happened: %q", h)
		}
		out := r.start(t.Context(), true)
		if r.floor.Accept() {
			t.Error("a press amid the question counts, which was not heard yet")
		}
		time.Sleep(r.duration + acceptTime/2)
		if !r.floor.Accept() || r.floor.Accept() {
			t.Error("one press lets it in")
		}
		talk := r.begun(out)
		r.floor.Bye("anna", "t")
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
				if r.floor.Block() {
					t.Error("nobody has spoken yet")
				}
				out := r.start(t.Context(), c.accept)
				time.Sleep(c.ends)
				r.floor.Bye("anna", "t")
				if o := <-out; o.err == nil {
					<-o.talk.Done()
				}
				time.Sleep(c.wait)
				if got := r.floor.Block(); got != c.want {
					t.Errorf("blocked: %v", got)
				}
				if r.floor.Block() {
					t.Error("a second press does it again")
				}
				var refusal *proto.Refusal
				if err := r.floor.Check(Member{Name: "Anna"}); errors.As(err, &refusal) != c.want || c.want && refusal.Code != proto.CodeBlocked {
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
				talk, err := r.floor.Start(t.Context(), Request{Client: client, Account: account, ID: "t", Member: Member{Name: string(client)}, Live: "s", Accept: true, Ended: func(string) {}})
				if err == nil {
					r.floor.Bye(client, "t")
					<-talk.Done()
				}
				out <- err
			}()
			time.Sleep(r.duration / 2)
			if client == "taker-back" {
				r.floor.Bye(client, "t")
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
			go func() { time.Sleep(r.duration + acceptTime/2); r.floor.Accept() }()
			if _, err := ask("anna", "account"); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestWhatEndsATalkBeforeTheVoice ends one amid the notice, amid the question to the room, and
// while the room has not answered. Each end has a code that says what it was.
func TestWhatEndsATalkBeforeTheVoice(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(r *room, cancel context.CancelCauseFunc)
		want proto.Code
	}{
		"its client": {func(r *room, _ context.CancelCauseFunc) { // lets go of the button, interrupts camctl or closes the page
			if !r.floor.Bye("anna", "t") {
				r.t.Error("the talk is not found by its name")
			}
		}, proto.CodeCancelled},
		"a press":      {func(r *room, _ context.CancelCauseFunc) { r.floor.EndTalk() }, proto.CodeBlocked},
		"privacy mode": {func(_ *room, cancel context.CancelCauseFunc) { cancel(proto.Refuse(proto.CodePrivacy)) }, proto.CodePrivacy},
		"quiet hours":  {func(_ *room, cancel context.CancelCauseFunc) { cancel(proto.Refuse(proto.CodeQuiet)) }, proto.CodeQuiet},
		"camd stops":   {func(_ *room, cancel context.CancelCauseFunc) { cancel(nil) }, proto.CodeBusy},
	} {
		for when, m := range map[string]struct {
			accept bool
			after  time.Duration // the notice and the question take two seconds each
		}{"amid the notice": {false, time.Second}, "amid the question": {true, time.Second}, "after the question": {true, 3 * time.Second}} {
			t.Run(what+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t)
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					out := r.start(ctx, m.accept)
					time.Sleep(m.after)
					c.end(r, cancel)
					r.refused(<-out, c.want)
					if h := r.happened(); slices.Contains(h, "voice") || slices.Contains(h, "announced Anna") {
						t.Errorf("happened: %q", h)
					}
				})
			})
		}
	}
}

// A client may take its request back before the floor has heard of it.
func TestATalkThatWasTakenBackIsNotAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(proto.Refuse(proto.CodeCancelled))
		for _, accept := range []bool{false, true} {
			r.refused(<-r.start(ctx, accept), proto.CodeCancelled)
		}
		if h := r.happened(); len(h) > 0 {
			t.Errorf("the room hears of it: %q", h)
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
