package alsa

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/camd-project/camd/pkg/foreign"
)

// Mixer sets the levels of one card in one way. Its methods are for one goroutine.
type Mixer struct {
	card     controls
	elements []element
}

// element is what of the card's controls belongs together.
type element struct {
	Element
	volume, toggle elemID
}

// controls are those of a card: its control device or, in tests, a made-up one.
type controls interface {
	list() ([]elemID, error)
	info(*elemInfo) error
	read(*elemValue) error
	write(*elemValue) error
	Close() error
}

// OpenMixer opens the control device of a card. Its elements are those that act on
// capture, In, or on playback, Out.
func OpenMixer(card int, way Way) (*Mixer, error) {
	c, err := openControl(card)
	if err != nil {
		return nil, err
	}
	return newMixer(c, way)
}

func newMixer(card controls, way Way) (*Mixer, error) {
	m := &Mixer{card: card}
	ids, err := card.list()
	if err != nil {
		return nil, errors.Join(err, card.Close())
	}
	for _, id := range ids {
		if name, what, ok := split(id, way); ok && id.iface == ifaceMixer {
			m.add(name, what, id)
		}
	}
	return m, nil
}

// suffixes are how the kernel ends the names of controls, the longest first
// (Documentation/sound/designs/control-names.rst). Without a way it is both.
var suffixes = map[Way][]string{
	In:  {" Capture Volume", " Capture Switch", " Volume", " Switch"},
	Out: {" Playback Volume", " Playback Switch", " Volume", " Switch"},
}

var otherWay = map[Way]string{In: "Playback", Out: "Capture"}

// split takes a control's name apart: Mic Capture Volume is the volume of Mic, and
// Capture Volume that of Capture. What acts on the other way only is refused.
func split(id elemID, way Way) (name, what string, ok bool) {
	full := text(id.name[:])
	for _, s := range suffixes[way] {
		if full == s[1:] {
			name, _, _ = strings.Cut(full, " ")
		} else if name, ok = strings.CutSuffix(full, s); !ok {
			continue
		}
		if last := name[strings.LastIndex(name, " ")+1:]; last == otherWay[way] {
			return "", "", false
		}
		if id.index > 0 {
			name = fmt.Sprintf("%s,%d", name, id.index)
		}
		return name, s[strings.LastIndex(s, " ")+1:], true
	}
	return "", "", false
}

func (m *Mixer) add(name, what string, id elemID) {
	i := slices.IndexFunc(m.elements, func(e element) bool { return e.Name == name })
	if i < 0 {
		i = len(m.elements)
		m.elements = append(m.elements, element{Element: Element{Name: name}})
	}
	e := &m.elements[i]
	switch {
	case what == "Volume" && !e.Volume:
		e.volume, e.Volume = id, true
	case what == "Switch" && !e.Switch:
		e.toggle, e.Switch = id, true
	}
}

// Elements lists the mixer's elements in the card's order.
func (m *Mixer) Elements() []Element {
	l := make([]Element, len(m.elements))
	for i, e := range m.elements {
		l[i] = e.Element
	}
	return l
}

// find looks an element up by its name.
func (m *Mixer) find(name string) (element, error) {
	var names []string
	for _, e := range m.elements {
		if e.Name == name {
			return e, nil
		}
		names = append(names, foreign.Name(e.Name))
	}
	if names == nil {
		names = []string{"none"}
	}
	return element{}, fmt.Errorf("%w %q: there are %s", ErrNoElement, name, strings.Join(names, ", "))
}

// SetVolume sets each channel of an element to so many percent of its range, in the
// card's own steps, as amixer does. It reads back what it set: errors match ErrLevel
// when the card has another value, and ErrNoElement.
func (m *Mixer) SetVolume(name string, percent int) error {
	e, err := m.find(name)
	if err != nil {
		return err
	}
	if !e.Volume {
		return fmt.Errorf("%w %q with a volume", ErrNoElement, name)
	}
	if err := m.set(e.volume, kindInteger, func(i *elemInfo) int { return level(i, percent) }); err != nil {
		return fmt.Errorf("set the volume of %s to %d %%: %w", name, percent, err)
	}
	return nil
}

// level is so many percent of a control's range, on one of its steps.
func level(i *elemInfo, percent int) int {
	step, percent := max(i.step, 1), min(max(percent, 0), 100)
	exact := float64(i.max-i.min) * float64(percent) / 100
	return i.min + int(math.Round(exact/float64(step)))*step
}

// Switch turns an element on, or mutes it, and reads back what it set, as SetVolume
// does.
func (m *Mixer) Switch(name string, on bool) error {
	e, err := m.find(name)
	if err != nil {
		return err
	}
	if !e.Switch {
		return fmt.Errorf("%w %q with a switch", ErrNoElement, name)
	}
	value := 0
	if on {
		value = 1
	}
	if err := m.set(e.toggle, kindBoolean, func(*elemInfo) int { return value }); err != nil {
		return fmt.Errorf("switch %s to %d: %w", name, value, err)
	}
	return nil
}

// set gives each of a control's channels the value that choose takes from its range.
func (m *Mixer) set(id elemID, kind uint32, choose func(*elemInfo) int) error {
	info := elemInfo{id: id}
	if err := m.card.info(&info); err != nil {
		return err
	}
	if info.kind != kind || info.access&accessWrite == 0 || info.count < 1 {
		return fmt.Errorf("%w: it is of kind %d, with %d values and access %#x", ErrLevel, info.kind, info.count, info.access)
	}
	want, got := elemValue{id: id}, elemValue{id: id}
	n := min(int(info.count), len(want.values))
	for i := range n {
		want.values[i] = choose(&info)
	}
	if err := m.card.write(&want); err != nil {
		return err
	}
	if err := m.card.read(&got); err != nil {
		return err
	}
	for i := range n {
		if got.values[i] != choose(&info) {
			return fmt.Errorf("%w: channel %d is %d instead of %d", ErrLevel, i, got.values[i], choose(&info))
		}
	}
	return nil
}

// Close closes the control device. What was set stays.
func (m *Mixer) Close() error { return m.card.Close() }
