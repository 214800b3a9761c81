package audio

import (
	"math"
	"os"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/media"
)

// tone is a made-up microphone: at each second of the wall clock it gives 100 ms of 1 kHz,
// and almost silence between.
type tone struct {
	ticker *time.Ticker
	end    func()
	ended  chan struct{}

	next  time.Duration // capture clock at the first sample after frame
	frame [opus.FrameSamples]int16
	read  int // samples of frame that were read
}

const (
	beep      = rate / 10  // samples
	fade      = rate / 200 // samples at each end of a beep, so that it doesn't click
	loudness  = 8000
	framesPer = int(time.Second / frameLen)
)

func newTone() *tone {
	t := &tone{ticker: time.NewTicker(frameLen), ended: make(chan struct{})}
	t.end = sync.OnceFunc(func() { t.ticker.Stop(); close(t.ended) })
	_ = t.Restart() // never fails
	return t
}

// Restart begins again with the 20 ms of the wall clock that run now.
func (t *tone) Restart() error {
	past := time.Duration(time.Now().UnixNano()) % frameLen
	t.next, t.read = media.Now()-past, len(t.frame)
	return nil
}

func (t *tone) Read(samples []int16) (int, error) {
	if t.read == len(t.frame) {
		if err := t.capture(); err != nil {
			return 0, err
		}
	}
	n := copy(samples, t.frame[t.read:])
	t.read += n
	return n, nil
}

// capture waits until the next frame lies in the past, and makes it.
func (t *tone) capture() error {
	for media.Now() < t.next+frameLen {
		select {
		case <-t.ticker.C:
		case <-t.ended:
			return os.ErrClosed
		}
	}
	if media.Now()-t.next > time.Second {
		return alsa.ErrXrun // the machine slept
	}
	select {
	case <-t.ended:
		return os.ErrClosed
	default:
	}
	wall := time.Now().Add(t.next - media.Now())
	nth := (wall.Nanosecond() + int(frameLen)/2) / int(frameLen) % framesPer // frame of the second
	for i := range t.frame {
		s := nth*len(t.frame) + i
		if s >= beep {
			t.frame[i] = int16(s * 7 % 3) // a little noise: 0, 1 or 2 of 32768
			continue
		}
		gain := float64(min(s, beep-s, fade)) / fade
		t.frame[i] = int16(loudness * gain * math.Sin(2*math.Pi*float64(s%48)/48))
	}
	t.next, t.read = t.next+frameLen, 0
	return nil
}

func (t *tone) Delay() (int, error) {
	since := int((media.Now() - t.next) * rate / time.Second)
	return max(0, since) + len(t.frame) - t.read, nil
}

func (t *tone) Close() error { t.end(); return nil }
