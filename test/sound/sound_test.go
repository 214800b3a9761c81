package sound

import (
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/proto"
)

func TestToneIsFoundAndNothingElse(t *testing.T) {
	tone := make([]int16, Rate)
	Tone(tone, 17)
	for name, other := range map[string][]int16{
		"silence": make([]int16, Rate), "bell": Bell(t),
		"words": Announcement(t, prompt.Person{Name: "Anna", Role: proto.RoleAdult}),
	} {
		if FirstTone(other) != len(other) || LastTone(other) != 0 {
			t.Errorf("%s is taken for the tone", name)
		}
		both := slices.Concat(other, tone, other)
		first, last := FirstTone(both)-len(other), LastTone(both)-len(other)-len(tone)
		if first < -window || first > window || last < -window || last > window {
			t.Errorf("after %s the tone is found %d samples off, its end %d", name, first, last)
		}
	}
}

func TestHoldsFindsWordsWhereTheyAre(t *testing.T) {
	ben := Announcement(t, prompt.Person{Name: "Ben", Role: proto.RoleAdult})
	anna := Announcement(t, prompt.Person{Name: "Anna", Role: proto.RoleAdult})
	pause := make([]int16, 5000)
	if alike, end := Holds(slices.Concat(pause, ben, pause), ben); alike < 0.999 || end != len(pause)+len(ben) {
		t.Errorf("likeness %.3f, end %d", alike, end)
	}
	if alike, _ := Holds(slices.Concat(pause, anna, pause), ben); alike > 0.95 {
		t.Errorf("another name: likeness %.3f", alike)
	}
}

// A voice is found where it is, and another one isn't.
func TestMatches(t *testing.T) {
	voice := audiotest.Voice(1, 3*Rate)
	const late = 9600
	there := Matches(voice, slices.Concat(make([]int16, late), voice), 2*late)
	if l := Likeness(there); l < 0.99 || len(there) < 10 {
		t.Errorf("the same voice: likeness %.2f of %d blocks", l, len(there))
	}
	for _, m := range there {
		if m.Heard-m.Sent != late {
			t.Errorf("a block at %d is found at %d", m.Sent, m.Heard)
		}
	}
	if c := Clear(voice, slices.Concat(make([]int16, late), voice), there); c < 0.99 {
		t.Errorf("%.2f of the same voice is clear", c)
	}
	cut := slices.Clone(voice)
	for at := 0; at < len(cut); at += Rate / 10 { // a frame of five
		clear(cut[at : at+Rate/50])
	}
	if c := Clear(voice, cut, Matches(voice, cut, 0)); c < 0.75 || c > 0.85 {
		t.Errorf("%.2f of a voice with holes is clear", c)
	}
	if l := Likeness(Matches(voice, audiotest.Voice(2, 4*Rate), 2*late)); l > 0.75 {
		t.Errorf("another voice: likeness %.2f", l)
	}
}

func TestNetworkLosesAndDelays(t *testing.T) {
	n := Network{Loss: 0.2, Jitter: 60 * time.Millisecond}
	out := n.carry(1, 1000)
	if !slices.Equal(out, n.carry(1, 1000)) {
		t.Error("the same seed does something else")
	}
	turned := 0
	for i, a := range out {
		if late := a.at - time.Duration(a.n)*Pace; late < 0 || late > n.Jitter {
			t.Errorf("packet %d is %v late", a.n, late)
		}
		if i > 0 && a.n < out[i-1].n {
			turned++
		}
	}
	if len(out) < 750 || len(out) > 850 || turned < 100 {
		t.Errorf("%d of 1000 came, %d of them overtaken", len(out), turned)
	}
}
