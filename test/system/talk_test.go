package system

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/sound"
)

// TestAVoiceIsUnderstoodThroughABadNetwork holds what the room heard to what was sent:
// wanted is a share of frames that were heard as they were spoken (sound.Clear). Measured
// were 0.94, 0.90 and 0.83; a buffer that plays in the order of arrival got 0.58, 0.52 and
// 0.49. And the buffer is bounded: no block is heard later than its 200 ms, what the card
// holds ahead, the network's jitter and the sender's own lateness make it. On a machine
// that does other work sender, camd and card are late by themselves, which no network was
// meant to be: what is wanted leaves room for that, and one of three tries has to do. How
// well a voice gets through is shown to the percent in pkg/audio/jitter, in made-up time.
func TestAVoiceIsUnderstoodThroughABadNetwork(t *testing.T) {
	r := newRoom(t)
	anna := r.talker(r.anna)
	voice := audiotest.Voice(5, 6*sound.Rate)
	packets, err := sound.Encode(voice)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sound.Network
		want float64
	}{
		"jitter of 60 ms":              {sound.Network{Jitter: 60 * time.Millisecond}, 0.68},
		"and a loss of 5 % with that":  {sound.Network{Jitter: 60 * time.Millisecond, Loss: 0.05}, 0.65},
		"and a loss of 20 % with that": {sound.Network{Jitter: 60 * time.Millisecond, Loss: 0.2}, 0.62},
	} {
		t.Run(name, func(t *testing.T) {
			for try := uint64(1); ; try++ {
				talk := anna.talk()
				heard, late := anna.says(c.Network, try, packets)
				talk.Close()
				all := sound.Matches(voice, heard, sound.Rate*6/10)
				clear, d := sound.Clear(voice, heard, all), delays(all)
				t.Logf("clear %.3f; likeness %.3f of %d blocks; %v; the sender was %v late", clear, sound.Likeness(all), len(all), d, late)
				bounded := d.most <= (200+60)*time.Millisecond+c.Jitter+late
				if bounded && clear >= c.want && len(all) >= 20 {
					return
				}
				if try == 3 {
					t.Fatalf("%.3f of the frames in %d blocks were heard as they were spoken, want %.2f; %v", clear, len(all), c.want, d)
				}
			}
		})
	}
}

type delay struct{ least, most time.Duration }

func (d delay) String() string { return fmt.Sprintf("from %v to %v late", d.least, d.most) }

// delays are those of the blocks that were surely found.
func delays(all []sound.Match) (d delay) {
	d.least = time.Hour
	for _, m := range all {
		if m.Likeness > 0.9 {
			by := time.Duration(m.Heard-m.Sent) * time.Second / sound.Rate
			d.least, d.most = min(d.least, by), max(d.most, by)
		}
	}
	return d
}

func TestARingIsHeardAndTheVoiceIsSilentMeanwhile(t *testing.T) {
	r := newRoom(t)
	anna := r.talker(r.anna)
	anna.hums()
	talk := anna.talk()
	from := r.hears("the room hears the voice", 0)
	begin, end := r.ring(from)
	if during := r.samples()[begin:end]; sound.FirstTone(during) < len(during) {
		t.Error("the voice is heard while the bell rings")
	}
	r.hears("the voice is heard again", end)
	select {
	case <-talk.Done():
		t.Errorf("the ring ended the talk: %v", talk.Err())
	default:
	}
}

func TestPrivacyEndsTalkAtOnceAndLetsNoneBegin(t *testing.T) {
	r := newRoom(t)
	anna := r.talker(r.anna)
	anna.hums()
	talk := anna.talk()
	r.hears("the room hears the voice", 0)
	if out, err := r.Run("privacy", "on"); err != nil {
		t.Fatalf("camd privacy on: %v\n%s", err, out)
	}
	from := len(r.samples())
	r.ends(talk, string(proto.CodePrivacy))
	_, err := r.anna.AskToTalk(patient(t), session)
	refusedWith(t, "talk in privacy mode", err, proto.CodePrivacy)
	r.silentFrom(from, "privacy was switched on")
}

func TestASecondTalkerIsToldWhoSpeaks(t *testing.T) {
	r := newRoom(t)
	ben := r.Invite(r.anna, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	first, second := r.talker(r.anna), r.talker(ben)
	talk := first.talk()
	from := len(r.samples())
	second.hums()
	_, err := ben.AskToTalk(patient(t), session)
	refusedWith(t, "a second talker", err, proto.CodeTalking)
	if err == nil || !strings.Contains(err.Error(), "Anna") {
		t.Errorf("the second talker is told %q, and not who speaks", err)
	}
	r.silentFrom(from, "a second talker was refused")
	talk.Close()
	second.talk()
	r.hears("the second is heard when the first has ended", from)
}

func TestNothingIsHeardOfATalkerWhoseGrantHasEnded(t *testing.T) {
	r := newRoom(t)
	adult := func(name string) (*client.Camera, *client.Talk) {
		ben := r.Invite(r.anna, proto.Grant{Name: name, Role: proto.RoleAdult})
		k := r.talker(ben)
		k.hums()
		from := len(r.samples())
		talk := k.talk()
		r.hears("the room hears the voice", from)
		return ben, talk
	}
	t.Run("revoked", func(t *testing.T) {
		ben, talk := adult("Ben")
		if _, err := r.anna.Revoke(patient(t), proto.Revoke{Client: ben.Keys().ID()}); err != nil {
			t.Fatal(err)
		}
		from := len(r.samples())
		r.silentFrom(from, "a revocation")
		r.ends(talk, string(proto.CodeRevoked))
	})
	t.Run("expired", func(t *testing.T) {
		ben, talk := adult("Carl")
		r.Grant(r.anna, ben.Keys(), proto.Grant{Name: "Carl", Role: proto.RoleAdult, Until: time.Now().Unix() + 3})
		r.ends(talk, string(proto.CodeExpired))
		r.silentFrom(len(r.samples()), "the grant's end")
	})
	t.Run("may only watch", func(t *testing.T) {
		ben, talk := adult("Dora")
		r.Grant(r.anna, ben.Keys(), proto.Grant{Name: "Dora", Role: proto.RoleAdult, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}})
		r.ends(talk, string(proto.CodeScope))
		r.silentFrom(len(r.samples()), "the loss of the right")
	})
}

func TestWhatIsNoVoiceIsNotHeardAndCounted(t *testing.T) {
	r := newRoom(t)
	anna := r.talker(r.anna)
	tone := make([]int16, sound.Rate)
	sound.Tone(tone, 0)
	packets, err := sound.Encode(tone)
	if err != nil {
		t.Fatal(err)
	}
	talk := anna.talk()
	from := len(r.samples())
	random := rand.New(rand.NewPCG(1, 1))
	const n = 50
	for i := range n { // each 20 ms hold one of each kind
		time.Sleep(sound.Pace)
		for _, p := range []struct {
			payload []byte
			ssrc    uint32
			kind    uint8
		}{
			{malformed[random.IntN(len(malformed))], 0, 0},
			{packets[i], 12345, 0}, // of another source
			{packets[i], 0, 0x60},  // of another payload type
		} {
			if err := anna.Send(stray(anna.sent, p.payload, p.ssrc, p.kind)); err != nil {
				t.Fatal(err)
			}
			anna.sent++ // SRTP takes no number twice
		}
	}
	r.Until("a second has passed in the room", func() bool { return len(r.samples()) > from+2*n*opus.FrameSamples })
	if peak := peak(r.samples()[from:]); peak > 0 {
		t.Errorf("the room heard something, up to %d", peak)
	}
	anna.hums() // the control
	r.hears("a voice is heard", from)
	talk.Close()
	if _, err := anna.camera.Call(patient(t), proto.OpBye, session, nil); err != nil {
		t.Fatal(err)
	}
	if garbled := r.counted(`msg="voice ended".* garbled=(\d+)`); garbled < n/4 {
		t.Errorf("%d packets were counted as garbled", garbled)
	}
	if unheard := r.counted(`msg="session ended".* sent.unheard=(\d+)`); unheard < 2*n {
		t.Errorf("%d packets were counted as no voice", unheard)
	}
}

// counted waits until camd has logged a count, and gives it.
func (r *room) counted(line string) (n int) {
	r.t.Helper()
	is := regexp.MustCompile(line)
	r.Until("camd logs "+line, func() bool {
		found := is.FindStringSubmatch(r.Log())
		if found != nil {
			n, _ = strconv.Atoi(found[1])
		}
		return found != nil
	})
	return n
}

func peak(samples []int16) (most int) {
	for _, s := range samples {
		most = max(most, int(s), -int(s))
	}
	return most
}
