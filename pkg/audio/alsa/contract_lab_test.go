//go:build lab && linux

package alsa_test

import (
	"errors"
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
				audiotest.Contract(t, func() (audiotest.Stream, error) { return openInput(c.Device) })
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
				audiotest.ContractSpeaker(t, audiotest.RealTime, func() (audiotest.Player, error) { return openOutput(c.Device) })
			})
		}
	}
	if !used {
		t.Fatal("there is no card that plays at 48 kHz")
	}
}

// xruns is how many of them a card is forgiven that nobody waits for: the machine may be
// so busy that frames are late.
const xruns = 3

type input struct {
	*alsa.PCM
	lost int
}

func openInput(device string) (*input, error) {
	p, err := alsa.Open(device)
	return &input{PCM: p}, err
}

func (i *input) Read(samples []int16) (int, error) {
	for ; ; i.lost++ {
		n, err := i.PCM.Read(samples)
		if !errors.Is(err, alsa.ErrXrun) || i.lost == xruns {
			return n, err
		}
		if err := i.Restart(); err != nil {
			return n, err
		}
	}
}

type output struct {
	*alsa.Playback
	told    bool // by Delay that it starves
	starved int
}

func openOutput(device string) (*output, error) {
	p, err := alsa.OpenPlayback(device)
	return &output{Playback: p}, err
}

func (o *output) Delay() (int, error) {
	n, err := o.Playback.Delay()
	o.told = errors.Is(err, alsa.ErrXrun)
	return n, err
}

func (o *output) Write(samples []int16) (int, error) {
	n, err := o.Playback.Write(samples)
	if !errors.Is(err, alsa.ErrXrun) || o.told || o.starved == xruns {
		return n, err
	}
	o.starved++
	if err := o.Restart(); err != nil {
		return n, err
	}
	more, err := o.Playback.Write(samples[n:])
	return n + more, err
}

// TestRealMixersKeepWhatIsSet sets every level and switch of every card there is.
func TestRealMixersKeepWhatIsSet(t *testing.T) {
	volumes := 0
	for way, list := range map[alsa.Way]func() ([]alsa.CardInfo, error){alsa.In: alsa.Cards, alsa.Out: alsa.Outputs} {
		cards, err := list()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cards {
			t.Run(c.Device+string(way), func(t *testing.T) { volumes += setAll(t, c.Device, way) })
		}
	}
	if volumes == 0 {
		t.Error("no card has a volume")
	}
}

// setAll returns how many volumes the mixer of a device's card has.
func setAll(t *testing.T, device string, way alsa.Way) (volumes int) {
	card, _, err := alsa.ParseName(device)
	if err != nil {
		t.Fatal(err)
	}
	m, err := alsa.OpenMixer(card, way)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close() //nolint:errcheck // nothing is buffered
	t.Logf("%+v", m.Elements())
	if err := m.SetVolume("Nothing", 50); !errors.Is(err, alsa.ErrNoElement) {
		t.Errorf("SetVolume of an element that there is not says %v", err)
	}
	for _, e := range m.Elements() {
		for _, percent := range []int{100, 0, 33} {
			if !e.Volume {
				break
			}
			volumes++
			if err := m.SetVolume(e.Name, percent); err != nil {
				t.Errorf("%v: %v", e, err)
			}
		}
		for _, on := range []bool{false, true} {
			if err := m.Switch(e.Name, on); err != nil && e.Switch {
				t.Errorf("%v: %v", e, err)
			}
		}
	}
	return volumes
}
