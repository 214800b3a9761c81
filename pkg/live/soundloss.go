package live

import (
	"math"
	"time"
)

// Microphone is what a Server needs of the source of sound. SetLoss does not block.
type Microphone interface {
	// SetLoss has sound encoded so that the loss of so many percent of its packets is heard
	// less (in-band FEC). 0: nothing is lost.
	SetLoss(percent int)
}

const (
	// leastSoundLoss is the loss of sound below which none counts: what FEC costs in sound
	// would be more than what is lost.
	leastSoundLoss = 0.01
	// mostSoundLoss is the loss, in percent, above which an encoder prepares for no more.
	mostSoundLoss = 25
	// soundLossKept is how long a loss counts after it was reported last, by one viewer or by
	// any: radio loses in bursts.
	soundLossKept = 10 * time.Second
)

// soundLoss chooses the loss that sound is prepared for.
type soundLoss struct {
	percent int
	at      time.Time // when it was last as high
}

// next returns the percent to set. lost has for each viewer that listens, and can use FEC,
// which part of the sound it last reported as lost. The highest counts, at once; it ends
// soundLossKept after it was reported last, or with the last such viewer.
func (l *soundLoss) next(now time.Time, lost []float64) int {
	percent := 0
	for _, p := range lost {
		if p >= leastSoundLoss {
			percent = max(percent, min(int(math.Ceil(100*p)), mostSoundLoss))
		}
	}
	if percent >= l.percent || now.Sub(l.at) >= soundLossKept || len(lost) == 0 {
		l.percent, l.at = percent, now
	}
	return l.percent
}
