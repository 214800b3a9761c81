package attack

import (
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// begin has the owner start a session and end it again, and gives the message that
// began it, as the broker saw it.
func (h *house) begin(session string) hostile.Message {
	h.t.Helper()
	before := h.began()
	h.probe.Hello()
	f := h.probe.Request(proto.OpLive, session, hostile.NewViewer(h.t).LiveRequest())
	message := f.Seal()
	h.evil.Publish(h.probe.Topic(), message, false)
	if a := h.probe.Await(f.Claims["jti"].(string)); a.Code != proto.CodeOK {
		h.t.Fatalf("the owner's own request is answered %q", a.Code)
	}
	if a := h.probe.Do(h.probe.Request(proto.OpBye, session, nil)); a.Code != proto.CodeOK {
		h.t.Fatalf("bye is answered %q", a.Code)
	}
	// camd's own log is written by the way, so it may come after the answer.
	h.Until("the session is over", func() bool { return len(h.sessions()) == 0 && h.began() > before })
	return hostile.Message{Topic: h.probe.Topic(), Payload: message}
}

// began counts the sessions that camd's access log and its own log know of.
func (h *house) began() int { return strings.Count(h.Log(), `msg="session ended"`) }

func TestT3ReplayStartsNothing(t *testing.T) {
	h := newHome(t)
	recorded := h.begin("recorded")
	stranger := hostile.Stranger(t, h.evil, h.owner.Record())
	before := h.began()
	for range 3 {
		h.evil.Replay(recorded)
		h.evil.Publish(stranger.Topic(), recorded.Payload, false)
		h.evil.Publish(recorded.Topic, recorded.Payload, true) // so that it comes after each reconnect
	}
	h.nothingBegan("a replay")
	h.evil.KickAll()
	h.nothingBegan("a replay at a new connection")
	for range 40 { // until camd no longer remembers that it carried it out
		h.probe.Do(h.probe.Request(proto.OpStatus, "", nil))
	}
	h.evil.Replay(recorded)
	h.nothingBegan("a replay of what camd has forgotten")
	if n := h.began() - before; n != 0 {
		t.Errorf("%d sessions began by a replay", n)
	}
	if err := h.Signal(syscall.SIGKILL); err == nil {
		t.Fatal("SIGKILL left exit code 0")
	}
	h.Start()
	h.probe.Hello() // which moves no number, so that the recorded one is high enough
	h.evil.Replay(recorded)
	h.nothingBegan("a replay after a reboot")
	if n := h.began(); n != 0 {
		t.Errorf("%d sessions began by a replay", n)
	}
	h.sees(h.owner)
}

// It takes two minutes, so it runs beside the others.
func TestT3ReplayAfterNonceRotation(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	recorded := h.begin("recorded")
	old := h.probe.Hello().Nonce // as new as the recorded one, or newer
	until(t, 4*rig.Patience, "the nonce is dead", func() bool {
		f := h.probe.Request(proto.OpStatus, "", nil)
		f.Claims["non"] = old
		return h.probe.Do(f).Code == proto.CodeStale
	})
	before := h.began()
	h.evil.Replay(recorded)
	h.nothingBegan("a replay under a nonce that is no longer live")
	if n := h.began() - before; n != 0 {
		t.Errorf("%d sessions began by a replay", n)
	}
	h.sees(h.owner)
}

// TestT4 gives the attacker another camera of the same owner: what that is sent it
// can open, and seal again for the victim.
func TestT4OfferResealedToAnotherCameraIsRefused(t *testing.T) {
	keys := newKeys(t)
	bait, victim := newHomeOf(t, keys), newHomeOf(t, keys)
	probe, epoch := victim.probe, victim.owner.Record().Epoch
	// The attacker is even given a nonce of the victim, and a number that is high enough.
	for name, change := range map[string]func(*hostile.Forgery){
		"as it was":             func(f *hostile.Forgery) { f.Claims["aud"] = bait.Device },
		"without a device":      func(f *hostile.Forgery) { delete(f.Claims, "aud") },
		"for both":              func(f *hostile.Forgery) { f.Claims["aud"] = []any{bait.Device, victim.Device} },
		"for the epoch before":  func(f *hostile.Forgery) { f.Claims["ep"] = epoch - 1 },
		"for the epoch to come": func(f *hostile.Forgery) { f.Claims["ep"] = epoch + 1 },
	} {
		probe.Hello()
		f := probe.Request(proto.OpLive, "resealed", hostile.NewViewer(t).LiveRequest())
		change(f)
		probe.Send(f)
		victim.nothingBegan("an offer " + name)
		if a, ok := probe.Answers()[f.Claims["jti"].(string)]; ok {
			t.Errorf("an offer %s is answered %q", name, a.Code)
		}
	}
	// Unopened, as the other camera was sent it.
	recorded := bait.begin("recorded")
	victim.evil.Publish(probe.Topic(), recorded.Payload, false)
	victim.nothingBegan("the other camera's message")
	victim.begin("control")
	victim.sees(victim.owner)
}
