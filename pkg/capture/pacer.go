package capture

import (
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// maxBehind is how late a pacer may be before it gives the lost time up.
const maxBehind = time.Second

// pacer gives made-up sources the rhythm of a camera.
type pacer struct {
	interval time.Duration
	due      time.Duration // of the last picture
	timer    *time.Timer
	stop     chan struct{}
	once     sync.Once
}

func newPacer(rate float64) *pacer {
	p := &pacer{interval: time.Duration(float64(time.Second) / rate), due: media.Now(), timer: time.NewTimer(0), stop: make(chan struct{})}
	<-p.timer.C
	return p
}

// wait waits for the next picture's time and gives it; false after interrupt.
// Times rise by whole intervals, so that what is late by less than maxBehind
// catches up; missed counts intervals that were given up.
func (p *pacer) wait() (pts time.Duration, missed int, ok bool) {
	p.due += p.interval
	now := media.Now()
	if late := now - p.due; late > maxBehind {
		missed = int(late / p.interval)
		p.due += time.Duration(missed) * p.interval
	}
	p.timer.Reset(max(p.due-now, 0))
	select {
	case <-p.stop:
		return 0, 0, false
	case <-p.timer.C:
	}
	select {
	case <-p.stop: // before a timer that is due at once, or a late one would never end
		return 0, 0, false
	default:
		return p.due, missed, true
	}
}

func (p *pacer) interrupt() { p.once.Do(func() { close(p.stop) }) }
