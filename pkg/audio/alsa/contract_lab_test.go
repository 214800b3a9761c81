//go:build lab && linux

package alsa_test

import (
	"testing"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/audiotest"
)

// TestRealCardKeepsTheContract runs where there is a card that nobody uses: in the
// lab's guest (go test -c -tags lab), with snd-aloop.
func TestRealCardKeepsTheContract(t *testing.T) {
	cards, err := alsa.Cards()
	if err != nil {
		t.Fatal(err)
	}
	used := false
	for _, c := range cards {
		t.Logf("%+v", c)
		if c.Usable {
			used = true
			t.Run(c.Device, func(t *testing.T) {
				audiotest.Contract(t, func() (audiotest.Stream, error) { return alsa.Open(c.Device) })
			})
		}
	}
	if !used {
		t.Fatal("there is no card that captures at 48 kHz")
	}
}

// TestRealOutputKeepsTheContract is the same for what plays.
func TestRealOutputKeepsTheContract(t *testing.T) {
	cards, err := alsa.Outputs()
	if err != nil {
		t.Fatal(err)
	}
	used := false
	for _, c := range cards {
		t.Logf("%+v", c)
		if c.Usable {
			used = true
			t.Run(c.Device, func(t *testing.T) {
				audiotest.ContractSpeaker(t, audiotest.RealTime, func() (audiotest.Player, error) { return alsa.OpenPlayback(c.Device) })
			})
		}
	}
	if !used {
		t.Fatal("there is no card that plays at 48 kHz")
	}
}
