package audio

import (
	"sync"

	"github.com/camd-project/camd/pkg/audio/echo"
)

// calibration finds how much later than expected an announcement is heard. It records the
// announcement and what the microphone hears of it, and compares both in a goroutine of its
// own, because that of the microphone must not wait.
type calibration struct {
	number    int // the run that is or was recorded
	far, near []int16
	under     sync.WaitGroup
	found     chan delay // holds one
}

// delay is the result of a calibration.
type delay struct {
	samples    int // by which the echo is later than process expects
	confidence float64
}

const (
	longest  = 2 * rate // samples of an announcement: what echo.Delay looks at
	shortest = rate / 2 // that is enough for a comparison
)

// record adds a frame of each, of the announcement with this number.
func (c *calibration) record(number int, far, near []int16) {
	if c.number != number {
		c.number = number
		c.far, c.near = make([]int16, 0, longest), make([]int16, 0, longest)
	}
	if c.near == nil {
		return // it was recorded already
	}
	c.far, c.near = append(c.far, far...), append(c.near, near...)
	if len(c.near) == longest {
		c.compare()
	}
}

// compare ends the recording, if there is one. Unless it is too short, compare starts a
// goroutine, for which close waits.
func (c *calibration) compare() {
	far, near := c.far, c.near
	c.far, c.near = nil, nil
	if len(near) < shortest {
		return
	}
	c.under.Go(func() {
		var d delay
		d.samples, d.confidence = echo.Delay(far, near)
		select {
		case c.found <- d:
		default: // the one before was never asked for
		}
	})
}

// close drops the recording, and waits for the goroutine.
func (c *calibration) close() {
	c.number, c.far, c.near = 0, nil, nil
	c.under.Wait()
}

const (
	// confident is what a delay must reach to be believed; see echo.Delay.
	confident = 0.3
	// agreeing is by how much two announcements' delays may differ, in samples.
	agreeing = rate / 100
	// enough is how many announcements in a row without a delay, or with a different
	// one each, show that there is no stable delay.
	enough = 2
)

// trust is what is known about the delay between one microphone and one speaker.
type trust struct {
	known   bool
	samples int
	misses  int // announcements in a row without a delay, or with a different one
}

// learn adds the result of an announcement.
func (t *trust) learn(d delay) {
	if d.confidence < confident {
		t.misses++
		return
	}
	off := max(d.samples-t.samples, t.samples-d.samples)
	if t.misses++; !t.known || off <= agreeing {
		t.misses = 0
	}
	if !t.known || off > agreeing/5 {
		t.known, t.samples = true, d.samples
	}
}

// lost reports that there is no stable delay.
func (t *trust) lost() bool { return t.misses >= enough || t.misses > 0 && !t.known }
