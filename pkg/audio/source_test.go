package audio

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/audio/alsa"
)

func TestChoose(t *testing.T) {
	busy := CardInfo{Device: "hw:0,0", Card: "Loopback", Err: alsa.ErrBusy}
	slow := CardInfo{Device: "hw:1,0", Card: "USB Mic", MaxRate: 16000}
	shut := CardInfo{Device: "hw:2,0", Card: "card 2", Err: &fs.PathError{Op: "open", Err: fs.ErrPermission}}
	good := CardInfo{Device: "hw:3,0", Card: "Codec", Usable: true}
	other := CardInfo{Device: "hw:3,1", Card: "Codec", Usable: true}
	for _, c := range []struct {
		name   string
		cards  []CardInfo
		wanted string
		device string
		words  []string // of the refusal
	}{
		{"first usable", []CardInfo{busy, slow, good, other}, "auto", "hw:3,0", nil},
		{"by name", []CardInfo{good, other}, "hw:3,1", "hw:3,1", nil},
		{"none", nil, "auto", "", []string{"There is no microphone"}},
		{"none usable", []CardInfo{busy, slow, shut}, "auto", "",
			[]string{`hw:0,0 ("Loopback"): another program`, `hw:1,0 ("USB Mic"): it has no 16 bit`, `hw:2,0 ("card 2"): camd's user`}},
		{"named one busy", []CardInfo{busy, good}, "hw:0,0", "", []string{"another program uses it"}},
		{"named one missing", []CardInfo{good}, "hw:7,0", "", []string{"no microphone hw:7,0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(microphone, c.cards, c.wanted)
			if got != c.device || (err == nil) != (c.words == nil) {
				t.Fatalf("choose = %q, %v", got, err)
			}
			for _, w := range c.words {
				if s := explain(microphone, got, err); !strings.Contains(s, w) {
					t.Errorf("%q doesn't say %q", s, w)
				}
			}
		})
	}
}
