package capture

import "time"

// meter measures the rate at which pictures really come, by their times. What a driver says
// is often wrong: cameras lower their rate in the dark, and some don't keep it at all.
type meter struct {
	last, interval time.Duration // interval is a mean in which older ones fade
	n              int           // intervals seen
}

const (
	meterMemory = 8 // about how many pictures the mean is made of
	meterSure   = 3 // intervals after which the mean is used
	maxStretch  = 2 // a longer interval, in means, counts as a gap of this length
)

// add adds the time of a picture, before which some were lost.
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

// rate returns pictures per second, 0 until it is known.
func (m *meter) rate() float64 {
	if m.interval == 0 {
		return 0
	}
	return float64(time.Second) / float64(m.interval)
}

// tempo drops pictures evenly to reach a rate, and measures the resulting rate.
type tempo struct {
	claim, want float64 // the driver's rate, and the configured one
	came, kept  meter
	due         time.Duration // of the next picture to keep
}

// tempoSlack is how much too fast a camera may be before pictures are dropped, which people
// would see.
const tempoSlack = 0.05

// keep reports whether to keep a picture.
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

// sent adds the time of a kept picture that is encoded.
func (t *tempo) sent(pts time.Duration) { t.kept.add(pts, 0) }

// rate returns the rate of the kept pictures.
func (t *tempo) rate() float64 {
	if r := t.kept.rate(); t.kept.n >= meterSure {
		return r
	}
	if r := t.came.rate(); t.came.n >= meterSure {
		return min(r, t.want)
	}
	return min(t.claim, t.want)
}
