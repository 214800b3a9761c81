package congestion

import (
	"math"
	"time"
)

const (
	lossLow   = 0.02 // below it loss means nothing. gcc-02 section 6
	lossHigh  = 0.10 // above it the estimate falls by half of the loss. gcc-02 section 6
	lossTrial = 0.90 // the part of the estimate that is left when loss between the two is put to a trial
	// lossSettle is how long it takes until what is sent follows the estimate: an encoder
	// changes its rate with the next picture.
	lossSettle = 200 * time.Millisecond

	lossWindow  = 100 * time.Millisecond // the shortest time over which loss is counted
	lossLongest = 2 * time.Second        // and the longest
	lossPackets = 20                     // the fewest packets of which loss is counted. libwebrtc: kLimitNumPackets
	lossMany    = 500                    // packets after which a window ends
	lossVerdict = 100                    // packets that decide a trial
	// lossCareful is how long after loss by congestion nothing leaves faster than the
	// estimate: it may be that the path can't queue even a picture.
	lossCareful = 10 * time.Second
	lossSpread  = 10 // the most that spread returns
	// lossBursts is how many bursts of loss must have come before a trial begins, unless
	// lossMost is lost: one long burst says little about the next packets.
	lossBursts = 3
	lossMost   = 0.5
	lossSigmas = 3 // standard deviations by which loss must exceed what is expected
)

// losses tells loss that congestion causes from loss that the path has anyway, as radio
// has. By gcc-02 the estimate doesn't grow above 2 % loss, which starves a stream on such
// a path. libwebrtc therefore fits a model to all rates and losses seen
// (loss_based_bwe_v2.cc). This does the same by a trial: when loss begins, the estimate
// falls by a tenth. If the loss stays as it was, the rate did not cause it. Then the
// estimate is restored, the path's own loss is known, and only loss above that counts.
type losses struct {
	own float64 // fraction that the path loses at any rate, at most lossHigh

	begun         time.Duration // packets that were sent earlier aren't counted
	packets, lost int
	bursts        int  // of lost packets in a row
	losing        bool // the packet before was lost

	trial   bool
	restore float64       // the estimate before the trial
	before  float64       // the loss before the trial
	factor  float64       // by which the estimate was multiplied for the trial
	recent  float64       // fraction lost in the last window, for Loss and Limit
	careful time.Duration // until when nothing leaves faster than the estimate
}

func (l *losses) add(sent time.Duration, lost bool) {
	if sent < l.begun {
		return
	}
	l.packets++
	if lost {
		l.lost++
		if !l.losing {
			l.bursts++
		}
	}
	l.losing = lost
}

// late takes back that a packet was lost.
func (l *losses) late(sent time.Duration) {
	if sent >= l.begun && l.lost > 0 {
		l.lost--
	}
}

// restart begins a new window with what is sent from now on.
func (l *losses) restart(now time.Duration) {
	l.begun, l.packets, l.lost, l.bursts = now, 0, 0, 0
}

// lowered notes that the estimate fell for another reason: a trial under way can't be
// decided any more.
func (l *losses) lowered(now time.Duration) {
	l.trial = false
	l.restart(now)
}

// judge returns what the estimate should be, given what it is. arrived is the rate that
// arrives, 0 if it isn't known; newest is when the newest packet left that was reported.
func (l *losses) judge(now, newest time.Duration, bps, arrived float64) float64 {
	if l.packets < lossPackets || newest-l.begun < lossWindow {
		return bps
	}
	p := float64(l.lost) / float64(l.packets)
	long := l.packets >= lossMany || newest-l.begun >= lossLongest
	switch {
	case l.trial && (long || float64(l.packets) >= lossVerdict*l.spread()):
		return l.decide(now, p, bps)
	case !l.trial && l.excess(p):
		return l.try(now, p, bps, arrived)
	case long:
		l.recent = p
		l.own = min(l.own, l.own+(p-l.own)/4) // the path may lose less by now; that it loses more only a trial can show
		l.restart(newest)
	}
	return bps
}

// try begins a trial: it returns a lower estimate.
func (l *losses) try(now time.Duration, p, bps, arrived float64) float64 {
	l.trial, l.recent, l.before, l.restore = true, p, p, bps
	l.factor = lossTrial
	if p > lossHigh {
		l.factor = 1 - p/2
	}
	l.careful = now + lossCareful
	l.restart(now + lossSettle)
	if arrived > 0 && p < 1 {
		bps = min(bps, arrived/(1-p)) // the rate that was sent, which may be less than bps
	}
	return l.factor * bps
}

// excess reports whether more is lost than the path's own loss and chance explain.
func (l *losses) excess(p float64) bool {
	expected := max(l.own, 0.01)
	if l.bursts < lossBursts && p < lossMost {
		return false
	}
	return p > l.own+lossLow+lossSigmas*math.Sqrt(l.spread()*expected*(1-expected)/float64(l.packets))
}

// spread returns how many times more loss varies than if each packet were lost by itself:
// 2b-1 for bursts of b packets on average, whose lengths are geometric.
func (l *losses) spread() float64 {
	return min(max(1, 2*float64(l.lost)/float64(max(1, l.bursts))-1), lossSpread)
}

// decide ends a trial, and returns the estimate after it. A path that carries no more than
// C loses 1-C/r of a rate r. So if congestion caused the loss, it is less now, by a known
// amount; the trial is decided by whether the loss is nearer to that or to what it was.
func (l *losses) decide(now time.Duration, p, bps float64) float64 {
	congested := max(0, 1-(1-l.before)/l.factor)
	l.recent = p
	l.trial = false
	l.restart(now)
	if p < (l.before+congested)/2 {
		l.careful = now + lossCareful
		return bps
	}
	l.own = min(max(l.own, p), lossHigh)
	l.careful = now
	if p > lossHigh {
		return bps
	}
	return max(bps, l.restore)
}
