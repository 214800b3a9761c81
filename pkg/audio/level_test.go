package audio

import (
	"errors"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

// fakeMixer takes note of what is set.
type fakeMixer struct {
	elements []alsa.Element
	set      []string
	fails    error // of Switch
}

func (m *fakeMixer) Elements() []alsa.Element { return m.elements }

func (m *fakeMixer) SetVolume(element string, _ int) error {
	m.set = append(m.set, "volume of "+element)
	return nil
}

func (m *fakeMixer) Switch(element string, on bool) error {
	if on {
		m.set = append(m.set, "switch of "+element)
	}
	return m.fails
}

func TestRestoreSetsTheVolumeAndUnmutes(t *testing.T) {
	for _, c := range []struct {
		element string
		fails   error
		want    []string
	}{
		{"Speaker", nil, []string{"volume of Speaker", "switch of Speaker"}},
		{"PCM", nil, []string{"volume of PCM"}},
		{"Speaker", alsa.ErrLevel, []string{"volume of Speaker", "switch of Speaker"}},
	} {
		m := &fakeMixer{elements: []alsa.Element{{Name: "Speaker", Volume: true, Switch: true}, {Name: "PCM", Volume: true}}, fails: c.fails}
		if err := restore(m, c.element, 80); !errors.Is(err, c.fails) || !slices.Equal(m.set, c.want) {
			t.Errorf("restore(%s) = %v after %v, want %v", c.element, err, m.set, c.want)
		}
	}
}

func TestLevelOfNoCardIsAFault(t *testing.T) {
	if err := setLevel(loudspeaker, "hw:31,0", alsa.Out, "", 80); err != nil {
		t.Errorf("no element is set: %v", err)
	}
	var f fault
	if err := setLevel(loudspeaker, "hw:31,0", alsa.Out, "Speaker", 80); !errors.As(err, &f) {
		t.Errorf("the level of a missing card: %v, want a sentence", err)
	}
}
