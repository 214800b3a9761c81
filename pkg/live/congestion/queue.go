package congestion

import "time"

const (
	// queueBase is how long an interval is whose shortest delay is kept. The shortest of
	// this interval and the one before counts as the delay of the empty path. It must
	// not count longer: clocks drift, and routes change.
	queueBase = 5 * time.Second
	// queueMuch is how long packets may wait on the path. Above it nothing leaves faster
	// than the estimate, and if that doesn't help the estimate is lowered (drainBegin).
	queueMuch = 40 * time.Millisecond
	// drainTime is the time in which a queue should become empty. drainMost is the largest
	// part of the estimate that is given up for this.
	drainTime = 500 * time.Millisecond
	drainMost = 0.3
	// drainBegin is how long a queue must last before the estimate is lowered. The queue
	// that a large picture makes doesn't last so long: it becomes empty as soon as packets
	// leave more slowly.
	drainBegin = 300 * time.Millisecond
	// drainEnd is how long a queue may last before it must be another flow's, which would
	// only take what this one leaves.
	drainEnd = 2 * time.Second
)

// queue tells how long packets wait on the path: the difference between the shortest
// delay of the last report and the shortest lately. The clocks of both sides may differ:
// that adds the same to both delays.
type queue struct {
	lowest [2]time.Duration // shortest delay of the interval before and of this one
	from   time.Duration    // when this interval began
	last   time.Duration    // shortest delay of the last report
	known  bool
	fresh  bool          // last is of this report
	long   bool          // the delay is above queueMuch
	since  time.Duration // when it began to be
}

func (q *queue) add(sent, at time.Duration) {
	d := at - sent
	if !q.known {
		*q = queue{lowest: [2]time.Duration{d, d}, from: sent, known: true}
	}
	if sent-q.from > queueBase {
		q.lowest, q.from = [2]time.Duration{q.lowest[1], d}, sent
	}
	q.lowest[1] = min(q.lowest[1], d)
	if !q.fresh || d < q.last {
		q.last, q.fresh = d, true
	}
}

// reported ends a report.
func (q *queue) reported(now time.Duration) {
	q.fresh = false
	if q.delay() <= queueMuch {
		q.long = false
	} else if !q.long {
		q.long, q.since = true, now
	}
}

// full reports whether there is a queue that would become empty if less were sent.
func (q *queue) full(now time.Duration) bool { return q.long && now-q.since < drainEnd }

// spare returns by what to multiply the estimate so that the queue becomes empty.
func (q *queue) spare(now time.Duration) float64 {
	if !q.full(now) || now-q.since < drainBegin {
		return 1
	}
	return 1 - min(float64(q.delay())/float64(drainTime), drainMost)
}

func (q *queue) delay() time.Duration { return q.last - min(q.lowest[0], q.lowest[1]) }
