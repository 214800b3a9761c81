package panel

import (
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/panel/evdev"
)

func TestMeaningOfAPress(t *testing.T) {
	for held, want := range map[time.Duration]gesture{
		-time.Second: nothing, 0: nothing, 999 * time.Millisecond: nothing, 2999 * time.Millisecond: nothing,
		3 * time.Second: pair, 9999 * time.Millisecond: pair,
		10 * time.Second: evict, 19999 * time.Millisecond: evict,
		20 * time.Second: reset, time.Hour: reset,
	} {
		if got := meaning(held); got != want {
			t.Errorf("held for %v means %d, want %d", held, got, want)
		}
	}
}

func TestPresses(t *testing.T) {
	const key, other = 353, 28
	down := func(code uint16, at time.Duration) evdev.Event {
		return evdev.Event{At: at * time.Second, Key: code, Down: true}
	}
	up := func(code uint16, at time.Duration) evdev.Event { return evdev.Event{At: at * time.Second, Key: code} }
	lost := evdev.Event{Lost: true}
	pressed := func(at time.Duration) edge { return edge{down: true, at: at * time.Second} }
	released := func(at, held time.Duration) edge {
		return edge{up: true, at: at * time.Second, held: held * time.Second}
	}
	for name, c := range map[string]struct {
		any    bool
		events []evdev.Event
		want   []edge
	}{
		"a press":                  {false, []evdev.Event{down(key, 5), up(key, 9)}, []edge{pressed(5), released(5, 4)}},
		"another key":              {false, []evdev.Event{down(other, 5), up(other, 9)}, nil},
		"any key":                  {true, []evdev.Event{down(other, 5), up(other, 9)}, []edge{pressed(5), released(5, 4)}},
		"another key meanwhile":    {true, []evdev.Event{down(key, 1), down(other, 2), up(other, 3), up(key, 9)}, []edge{pressed(1), released(1, 8)}},
		"began before we looked":   {false, []evdev.Event{up(key, 9)}, nil},
		"its beginning was lost":   {false, []evdev.Event{lost, up(key, 9)}, nil},
		"its end was lost":         {false, []evdev.Event{down(key, 1), lost, up(key, 90)}, []edge{pressed(1)}},
		"only the next one counts": {false, []evdev.Event{down(key, 1), lost, down(key, 90), up(key, 91)}, []edge{pressed(1), pressed(90), released(90, 1)}},
		"pressed twice, up once":   {false, []evdev.Event{down(key, 1), down(key, 8), up(key, 9)}, []edge{pressed(1), pressed(8), released(8, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := press{spec: spec{name: "x", key: key, any: c.any}}
			var got []edge
			for _, e := range c.events {
				if x := p.take(e); x != (edge{}) {
					got = append(got, x)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("edges %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPressesInARow(t *testing.T) {
	const limit = seriesTime / time.Millisecond
	for name, c := range map[string]struct {
		at   []time.Duration // milliseconds
		want []int
	}{
		"three":            {[]time.Duration{0, 500, 1000}, []int{1, 2, 3}},
		"just in time":     {[]time.Duration{0, 1, limit}, []int{1, 2, 3}},
		"too late":         {[]time.Duration{0, 1, limit + 1}, []int{1, 2, 2}},
		"the last three":   {[]time.Duration{0, 1400, 1600, 1800}, []int{1, 2, 2, 3}},
		"far between":      {[]time.Duration{0, 5000, 10000}, []int{1, 1, 1}},
		"a clock set back": {[]time.Duration{9000, 9100, 0}, []int{1, 2, 1}},
	} {
		var s series
		for i, at := range c.at {
			if got := s.add(at * time.Millisecond); got != c.want[i] {
				t.Errorf("%s: press %d is the %d. in a row, want %d", name, i, got, c.want[i])
			}
		}
	}
}

func TestButtonsAreNamed(t *testing.T) {
	for text, want := range map[string]spec{
		"":                     {any: true},
		"gpio-keys":            {name: "gpio-keys", any: true},
		"gpio-keys/353":        {name: "gpio-keys", key: 353},
		"ACME USB/PS2 Keypad":  {name: "ACME USB/PS2 Keypad", any: true},
		"ACME USB/PS2/28":      {name: "ACME USB/PS2", key: 28},
		"trailing/":            {name: "trailing/", any: true},
		"gpio-keys/0x161":      {name: "gpio-keys/0x161", any: true},
		"gpio-keys/767":        {name: "gpio-keys", key: maxKey},
		"gpio-keys/768":        {},
		"gpio-keys/0":          {},
		"/28":                  {},
		"gpio-keys/9999999999": {},
	} {
		got, err := parseSpec(text)
		if got != want || (err != nil) != (want == spec{}) {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"", "gpio-keys", "gpio-keys/353", "a/b/1", "/", "x/99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSpec(text)
		if err == nil && !s.any && (s.key == 0 || s.key > maxKey || s.name == "") {
			t.Errorf("%q is %+v", text, s)
		}
	})
}
