package alsa

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeControls are controls of a made-up card, by numid.
type fakeControls struct {
	t      *testing.T
	ids    []elemID
	infos  map[uint32]elemInfo
	values map[uint32]elemValue
	stuck  map[uint32]bool // takes what is written, and keeps what it has
	closed bool
}

func (f *fakeControls) add(iface uint32, name string, index, kind, access uint32, least, most, step int) {
	id := elemID{numid: uint32(len(f.ids) + 1), iface: iface, index: index}
	copy(id.name[:], name)
	f.ids = append(f.ids, id)
	f.infos[id.numid] = elemInfo{id: id, kind: kind, access: access, count: 2, min: least, max: most, step: step}
	f.values[id.numid] = elemValue{id: id}
}

func (f *fakeControls) list() ([]elemID, error) { return f.ids, nil }

func (f *fakeControls) info(i *elemInfo) error { *i = f.infos[i.id.numid]; return nil }

func (f *fakeControls) read(v *elemValue) error { *v = f.values[v.id.numid]; return nil }

func (f *fakeControls) write(v *elemValue) error {
	i := f.infos[v.id.numid]
	for _, x := range v.values[:i.count] {
		if x < i.min || x > i.max || i.step > 1 && (x-i.min)%i.step != 0 {
			f.t.Errorf("%s gets %d, outside of its range", text(v.id.name[:]), x)
		}
	}
	if !f.stuck[v.id.numid] {
		f.values[v.id.numid] = *v
	}
	return nil
}

func (f *fakeControls) Close() error { f.closed = true; return nil }

// value returns what the named control's channels hold.
func (f *fakeControls) value(name string) []int {
	for _, id := range f.ids {
		if text(id.name[:]) == name {
			v := f.values[id.numid]
			return v.values[:2]
		}
	}
	return nil
}

const readWrite = 3

// codec is like what a USB sound card or a small codec has.
func codec(t *testing.T) *fakeControls {
	f := &fakeControls{t: t, infos: map[uint32]elemInfo{}, values: map[uint32]elemValue{}, stuck: map[uint32]bool{}}
	f.add(3, "Playback Channel Map", 0, kindInteger, 1, 0, 36, 0)
	f.add(ifaceMixer, "Speaker Playback Switch", 0, kindBoolean, readWrite, 0, 1, 0)
	f.add(ifaceMixer, "Speaker Playback Volume", 0, kindInteger, readWrite, 0, 37, 0)
	f.add(ifaceMixer, "Mic Playback Switch", 0, kindBoolean, readWrite, 0, 1, 0)
	f.add(ifaceMixer, "Mic Playback Volume", 0, kindInteger, readWrite, 0, 255, 0)
	f.add(ifaceMixer, "Mic Capture Switch", 0, kindBoolean, readWrite, 0, 1, 0)
	f.add(ifaceMixer, "Mic Capture Volume", 0, kindInteger, readWrite, -16, 48, 4)
	f.add(ifaceMixer, "Capture Volume", 0, kindInteger, readWrite, 0, 100, 0)
	f.add(ifaceMixer, "Capture Volume", 1, kindInteger, readWrite, 0, 100, 0)
	f.add(ifaceMixer, "PCM Volume", 0, kindInteger, readWrite, 0, 255, 0)
	f.add(ifaceMixer, "Jack Volume", 0, kindInteger, 1, 0, 10, 0)
	f.add(ifaceMixer, "DAC Filter", 0, 3, readWrite, 0, 1, 0)
	return f
}

func open(t *testing.T, card *fakeControls, way Way) *Mixer {
	t.Helper()
	m, err := newMixer(card, way)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestElementsAreThoseOfTheWay(t *testing.T) {
	for way, want := range map[Way][]Element{
		Out: {{"Speaker", true, true}, {"Mic", true, true}, {"PCM", true, false}, {"Jack", true, false}},
		In:  {{"Mic", true, true}, {"Capture", true, false}, {"Capture,1", true, false}, {"PCM", true, false}, {"Jack", true, false}},
	} {
		if got := open(t, codec(t), way).Elements(); !slices.Equal(got, want) {
			t.Errorf("way %s has %v, want %v", way, got, want)
		}
	}
}

func TestVolumeIsSetOnTheCardsSteps(t *testing.T) {
	for _, c := range []struct {
		way              Way
		element, control string
		percent, want    int
	}{
		{Out, "Speaker", "Speaker Playback Volume", 100, 37},
		{Out, "Speaker", "Speaker Playback Volume", 80, 30},
		{Out, "Speaker", "Speaker Playback Volume", 0, 0},
		{Out, "Mic", "Mic Playback Volume", 50, 128},
		{In, "Mic", "Mic Capture Volume", 0, -16},
		{In, "Mic", "Mic Capture Volume", 55, 20},
		{In, "Mic", "Mic Capture Volume", 100, 48},
		{In, "PCM", "PCM Volume", 1000, 255},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.way, c.element, c.percent), func(t *testing.T) {
			card := codec(t)
			if err := open(t, card, c.way).SetVolume(c.element, c.percent); err != nil {
				t.Fatal(err)
			}
			if got := card.value(c.control); got[0] != c.want || got[1] != c.want {
				t.Errorf("%s is %v, want %d on both channels", c.control, got, c.want)
			}
		})
	}
}

func TestSwitchMutesAndUnmutes(t *testing.T) {
	card := codec(t)
	m := open(t, card, Out)
	for _, on := range []bool{true, false} {
		if err := m.Switch("Speaker", on); err != nil {
			t.Fatal(err)
		}
		if got := card.value("Speaker Playback Switch")[1] == 1; got != on {
			t.Errorf("the switch is %v, want %v", got, on)
		}
	}
	if err := m.Close(); err != nil || !card.closed {
		t.Errorf("Close = %v, and the card is closed: %v", err, card.closed)
	}
}

func TestWhatTheMixerRefuses(t *testing.T) {
	card := codec(t)
	for n := range uint32(4) {
		card.stuck[n] = true // Speaker's controls are 2 and 3
	}
	m := open(t, card, Out)
	for _, c := range []struct {
		name  string
		err   error
		want  error
		words string
	}{
		{"missing", m.SetVolume("Speakr", 50), ErrNoElement, `"Speakr": there are "Speaker", "Mic", "PCM", "Jack"`},
		{"missing switch", m.Switch("PCM", true), ErrNoElement, `"PCM" with a switch`},
		{"volume that stays", m.SetVolume("Speaker", 80), ErrLevel, "channel 0 is 0 instead of 30"},
		{"switch that stays", m.Switch("Speaker", true), ErrLevel, "channel 0 is 0 instead of 1"},
		{"read only", m.SetVolume("Jack", 50), ErrLevel, "access 0x1"},
		{"no elements", open(t, &fakeControls{}, Out).Switch("PCM", true), ErrNoElement, "there are none"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(fmt.Sprint(c.err), c.words) {
			t.Errorf("%s: %v, want %v with %q", c.name, c.err, c.want, c.words)
		}
	}
	if _, err := OpenMixer(31, Out); !errors.Is(err, ErrGone) {
		t.Errorf("OpenMixer of no card = %v, want ErrGone", err)
	}
}

// TestWrongStateIsGone: what only Drain tells apart.
func TestWrongStateIsGone(t *testing.T) {
	if err := meaning(unix.EBADFD); !errors.Is(err, errState) || !errors.Is(err, ErrGone) {
		t.Errorf("EBADFD means %v", err)
	}
}

// FuzzSplit: a control's name comes from the card, a USB plug say.
func FuzzSplit(f *testing.F) {
	for _, name := range []string{"", "Volume", "Switch", " Volume", "Playback Volume", "Mic Capture Switch", "Capture Volume", "\xff Playback Volume"} {
		f.Add([]byte(name), uint32(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, index uint32) {
		id := elemID{index: index}
		copy(id.name[:], raw)
		for _, way := range []Way{In, Out} {
			name, what, ok := split(id, way)
			if ok && what != "Volume" && what != "Switch" {
				t.Errorf("%q is the %q of %q", raw, what, name)
			}
			if strings.ContainsAny(name, "\x00\n\x1b") {
				t.Errorf("the name %q isn't printable", name)
			}
		}
	})
}
