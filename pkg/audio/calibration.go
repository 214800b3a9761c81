package audio

import (
	"sync"

	"github.com/camd-project/camd/pkg/audio/echo"
)

// calibration finds by how much later than expected an announcement is heard: it
// records the announcement and what the microphone hears of it, and has the two
// compared beside the goroutine of the microphone, which must not wait.
type calibration struct {
	number    int // the run that is or was recorded
	far, near []int16
	under     sync.WaitGroup
	found     chan delay // holds one
}

// delay is what a calibration finds.
type delay struct {
	samples    int // by which the echo is later than what process takes for it
	confidence float64
}

const (
	longest  = 2 * rate // samples of an announcement: what echo.Delay looks at
	shortest = rate / 2 // of which something can be told
)

func newCalibration() calibration { return calibration{found: make(chan delay, 1)} }

// record takes a frame of each, of the announcement of that number.
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

// compare ends the recording, if there is one. It starts a goroutine, which close
// waits for, unless what was recorded is too short to tell anything.
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

// forget drops what was found and not asked for.
func (c *calibration) forget() {
	select {
	case <-c.found:
	default:
	}
}

// close forgets what is being recorded, and waits.
func (c *calibration) close() {
	c.number, c.far, c.near = 0, nil, nil
	c.under.Wait()
}

const (
	// confident is what a delay must reach to be believed; see echo.Delay.
	confident = 0.3
	// agreeing is by how much two announcements' delays may differ, in samples.
	agreeing = rate / 100
	// enough is how many announcements in a row that tell no delay, or another one
	// each, show that there is no stable delay.
	enough = 2
)

// trust is what is known of the delay between one microphone and one speaker.
type trust struct {
	known   bool
	samples int
	misses  int // announcements in a row that told no delay, or another one
}

// learn takes what an announcement told.
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

// lost tells that there is no stable delay.
func (t *trust) lost() bool { return t.misses >= enough || t.misses > 0 && !t.known }
