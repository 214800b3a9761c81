package sound

import (
	"slices"
	"testing"

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
