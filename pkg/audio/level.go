package audio

import (
	"errors"
	"fmt"
	"slices"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

// mixer is what of a card's mixer is used; see alsa.Mixer.
type mixer interface {
	Elements() []alsa.Element
	SetVolume(element string, percent int) error
	Switch(element string, on bool) error
}

// setLevel sets an element of the mixer of a device's card, and has read back what it
// set when it returns nil. No element is left alone.
func setLevel(k kind, device string, way alsa.Way, element string, percent int) error {
	if element == "" {
		return nil
	}
	card, _, err := alsa.ParseName(device)
	if err != nil {
		return err
	}
	m, err := alsa.OpenMixer(card, way)
	if err == nil {
		err = errors.Join(restore(m, element, percent), m.Close())
	}
	if err == nil {
		return nil
	}
	why := reason(err)
	if errors.Is(err, alsa.ErrNoElement) || errors.Is(err, alsa.ErrLevel) {
		why = err.Error()
	}
	return fault(fmt.Sprintf("The level of the %s %s can't be set: %s.", k.name, device, why))
}

// restore sets the volume of an element and, if it can be muted, unmutes it.
func restore(m mixer, element string, percent int) error {
	if err := m.SetVolume(element, percent); err != nil {
		return err
	}
	toggles := func(e alsa.Element) bool { return e.Name == element && e.Switch }
	if !slices.ContainsFunc(m.Elements(), toggles) {
		return nil
	}
	return m.Switch(element, true)
}
