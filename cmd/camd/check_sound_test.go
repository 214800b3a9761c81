package main

import (
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/alsa"
)

func TestCheckChoosesACardAsTheDaemonDoes(t *testing.T) {
	usable := audio.CardInfo{Device: "hw:1,0", Card: "USB", MinRate: 48000, MaxRate: 48000, MinChannels: 1, MaxChannels: 2, Usable: true}
	second := usable
	second.Device = "hw:2,0"
	busy := audio.CardInfo{Device: "hw:0,0", Card: "HDMI", Err: alsa.ErrBusy}
	other := audio.CardInfo{Device: "hw:0,1", Card: "Modem", MinRate: 8000, MaxRate: 8000, MinChannels: 1, MaxChannels: 1}
	for _, c := range []struct {
		name, wanted string
		cards        []audio.CardInfo
		used         string
		wrong        int
		says         string
	}{
		{"the first usable", "auto", []audio.CardInfo{busy, other, usable, second}, "hw:1,0", 0, `hw:1,0 "USB", 48000 to 48000 Hz, 1 to 2 channels; this one is used`},
		{"the configured", "hw:2,0", []audio.CardInfo{usable, second}, "hw:2,0", 0, `hw:2,0 "USB", 48000 to 48000 Hz, 1 to 2 channels; this one is used`},
		{"the configured is busy", "hw:0,0", []audio.CardInfo{busy, usable}, "", 0, `hw:0,0 "HDMI": another program uses it`},
		{"the configured isn't there", "hw:3,0", []audio.CardInfo{usable}, "", 1, "there is no device hw:3,0"},
		{"none is usable", "auto", []audio.CardInfo{other}, "", 0, "camd needs 48000 Hz"},
		{"none", "auto", nil, "", 0, ""},
	} {
		var out strings.Builder
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)}
		used := r.cards("speaker", c.cards, c.wanted)
		if err := r.w.Flush(); err != nil {
			t.Fatal(err)
		}
		if used != c.used || r.wrong != c.wrong || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %q is used, %d are wrong, want %q, %d: %s", c.name, used, r.wrong, c.used, c.wrong, out.String())
		}
	}
}
