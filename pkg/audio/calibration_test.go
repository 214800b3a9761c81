package audio

import (
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// recorded gives a calibration an announcement of so many frames, and waits for what
// it finds.
func recorded(c *calibration, number, frames int, far, near []int16) (d delay, told bool) {
	for i := range frames {
		at := i * opus.FrameSamples
		c.record(number, far[at:at+opus.FrameSamples], near[at:at+opus.FrameSamples])
	}
	c.compare()
	c.under.Wait()
	select {
	case d = <-c.found:
		return d, true
	default:
		return d, false
	}
}

func TestCalibration(t *testing.T) {
	far := append(audiotest.Chime(), audiotest.Voice(1, 3*rate)...)
	near := audiotest.NewRoom(1).Echo(far, 2000)
	for _, c := range []struct {
		name   string
		frames int
		told   bool
	}{{"short", 24, false}, {"a chime", 50, true}, {"longer than is recorded", 180, true}} {
		calibration := calibration{found: make(chan delay, 1)}
		d, told := recorded(&calibration, 1, c.frames, far, near)
		if told != c.told || told && (d.confidence < confident || d.samples < 2000 || d.samples > 2200) {
			t.Errorf("%s: found %+v, %v", c.name, d, told)
		}
		if _, again := recorded(&calibration, 1, 50, far, near); again {
			t.Errorf("%s: the same announcement was measured twice", c.name)
		}
		if _, next := recorded(&calibration, 2, 50, far, near); !next {
			t.Errorf("%s: the next announcement wasn't measured", c.name)
		}
		calibration.close()
	}
}

func TestTrust(t *testing.T) {
	good, same, other, bad := delay{1000, 0.8}, delay{1400, 0.8}, delay{9000, 0.8}, delay{5000, 0.1}
	for _, c := range []struct {
		name    string
		heard   []delay
		samples int
		lost    bool
	}{
		{"nothing yet", nil, 0, false},
		{"one", []delay{good}, 1000, false},
		{"none at first", []delay{bad}, 0, true},
		{"then one", []delay{bad, good}, 1000, false},
		{"one that can't be told", []delay{good, bad}, 1000, false},
		{"two that can't be told", []delay{good, bad, bad}, 1000, true},
		{"apart in time", []delay{good, bad, good, bad}, 1000, false},
		{"moved a little", []delay{good, same}, 1400, false},
		{"moved", []delay{good, other}, 9000, false},
		{"moved and stayed", []delay{good, other, other}, 9000, false},
		{"never the same", []delay{good, other, good}, 1000, true},
		{"and settled", []delay{good, other, good, good}, 1000, false},
	} {
		var tr trust
		for _, d := range c.heard {
			tr.learn(d)
		}
		if tr.samples != c.samples || tr.lost() != c.lost {
			t.Errorf("%s: %d, lost %v, want %d, %v", c.name, tr.samples, tr.lost(), c.samples, c.lost)
		}
	}
}
