package capture

import "time"

// meter measures the rate at which pictures really come, by their times. What a driver says
// is often wrong: cameras lower their rate in the dark, and some don't keep it at all.
type meter struct {
	last, interval time.Duration // interval is a mean in which older ones fade
	n              int           // intervals seen
}

const (
	meterMemory = 8 // pictures of which the mean is made, about
	meterSure   = 3 // intervals from which on it is believed
	maxStretch  = 2 // how much longer than the mean one interval may count: a gap is no rate
)

// add takes the time of a picture, before which some were lost.
func (m *meter) add(pts time.Duration, lost int) {
	d := (pts - m.last) / time.Duration(1+lost)
	first := m.last == 0
	m.last = pts
	if first || d <= 0 {
		return
	}
	m.n++
	if m.n > 1 {
		d = min(d, maxStretch*m.interval)
	}
	m.interval += (d - m.interval) / time.Duration(min(m.n, meterMemory))
}

// rate is in pictures per second, 0 until it is known.
func (m *meter) rate() float64 {
	if m.interval == 0 {
		return 0
	}
	return float64(time.Second) / float64(m.interval)
}

// tempo brings pictures down to a rate, evenly, and tells the rate that is left.
type tempo struct {
	claim, want float64 // what the driver says, and what is configured
	came, kept  meter
	due         time.Duration // of the next picture to keep
}

// tempoSlack is how much too fast a camera may be without a picture being left out,
// which would be seen.
const tempoSlack = 0.05

// keep reports whether a picture is to be kept.
func (t *tempo) keep(pts time.Duration, lost int) bool {
	t.came.add(pts, lost)
	interval := time.Duration(float64(time.Second) / t.want)
	fast := t.came.rate() > t.want*(1+tempoSlack) || t.came.n < meterMemory // too early to tell
	if fast && pts < t.due-interval/4 {
		return false
	}
	if t.due == 0 {
		t.due = pts
	}
	t.due = max(t.due, pts-interval) + interval // one that was late may be made up for
	return true
}

// sent takes the time of a kept picture that went on.
func (t *tempo) sent(pts time.Duration) { t.kept.add(pts, 0) }

// rate is that of the pictures which are kept.
func (t *tempo) rate() float64 {
	if r := t.kept.rate(); t.kept.n >= meterSure {
		return r
	}
	if r := t.came.rate(); t.came.n >= meterSure {
		return min(r, t.want)
	}
	return min(t.claim, t.want)
}
