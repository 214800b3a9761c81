package congestion

import (
	"math"
	"time"
)

// The trendline filter: does the delay grow? gcc-02 section 5.3 has a Kalman filter in
// its place; libwebrtc replaced it by this line (trendline_estimator.cc), and its values
// are these.
const (
	trendWindow    = 20   // groups through which the line is laid
	trendSmoothing = 0.9  // weight of the old delay against that of a new group
	trendGain      = 4    // libwebrtc: kDefaultTrendlineThresholdGain
	trendDeltas    = 60   // the most groups that count as evidence; libwebrtc: kMinNumDeltas
	thresholdStart = 12.5 // ms. gcc-02 section 5.4: del_var_th(0)
	thresholdMin   = 6    // ms. gcc-02 section 5.4
	thresholdMax   = 600
	thresholdUp    = 0.0087 // each ms. libwebrtc: k_up, k_down; the draft has 0.01 and 0.00018
	thresholdDown  = 0.039
	thresholdSkip  = 15                    // ms beyond which a peak doesn't move the threshold. gcc-02 section 5.4
	thresholdStep  = 100                   // ms between two groups: a longer time moves the threshold no further
	overuseTime    = 10 * time.Millisecond // how long the threshold must be exceeded. libwebrtc: kOverUsingTimeThreshold
)

type usage uint8

const (
	normal usage = iota
	overuse
	underuse
)

// trend lays a line through the delays of the last groups and compares its slope with a
// threshold that adapts: it rises where delay varies anyway, or where a TCP flow fills
// the queue, so that such a flow can't starve this one.
type trend struct {
	x, y  [trendWindow]float64 // ms: arrival and smoothed delay of the last groups
	count int64                // groups since the beginning

	origin    time.Duration // arrival of the first group
	delay     float64       // ms: sum of the variations
	smoothed  float64
	slope     float64
	threshold float64
	over      time.Duration // how long the slope has been above the threshold; < 0: not at all
	overs     int           // groups in a row for which it was
	usage     usage
}

func newTrend() trend { return trend{threshold: thresholdStart, over: -1} }

// add takes how much later a group left and arrived than the one before, and when it was
// complete.
func (t *trend) add(left, arrived, complete time.Duration) {
	if t.count == 0 {
		t.origin = complete
	}
	t.delay += milliseconds(arrived - left)
	t.smoothed = trendSmoothing*t.smoothed + (1-trendSmoothing)*t.delay
	i := t.count % trendWindow
	t.x[i], t.y[i] = milliseconds(complete-t.origin), t.smoothed
	t.count++
	before := t.slope
	if t.count >= trendWindow {
		t.slope = slope(&t.x, &t.y, before)
	}
	t.detect(before, left, arrived)
}

// detect says how the path is used. (gcc-02 section 5.4: overuse must last, and grow)
func (t *trend) detect(before float64, left, arrived time.Duration) {
	m := float64(min(t.count, trendDeltas)) * t.slope * trendGain
	switch {
	case m > t.threshold:
		if t.over < 0 {
			t.over = left / 2 // it began somewhere between the two
		} else {
			t.over += left
		}
		t.overs++
		if t.over > overuseTime && t.overs > 1 && t.slope >= before {
			t.over, t.overs, t.usage = 0, 0, overuse
		}
	case m < -t.threshold:
		t.over, t.overs, t.usage = -1, 0, underuse
	default:
		t.over, t.overs, t.usage = -1, 0, normal
	}
	t.adapt(math.Abs(m), min(milliseconds(arrived), thresholdStep))
}

func (t *trend) adapt(m, ms float64) {
	if m > t.threshold+thresholdSkip {
		return
	}
	k := thresholdUp
	if m < t.threshold {
		k = thresholdDown
	}
	t.threshold = min(max(t.threshold+k*(m-t.threshold)*ms, thresholdMin), thresholdMax)
}

// slope returns the slope of the line with the least squares, or before if all x are the
// same.
func slope(x, y *[trendWindow]float64, before float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i]
		my += y[i]
	}
	mx /= trendWindow
	my /= trendWindow
	var xy, xx float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	if xx == 0 {
		return before
	}
	return xy / xx
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
