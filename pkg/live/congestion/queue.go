package congestion

import "time"

const (
	// queueBase is how long the shortest delay counts as that of the empty path, once or
	// twice: clocks drift, and routes change.
	queueBase = 5 * time.Second
	// queueMuch is a delay in queues above which nothing leaves faster than the estimate,
	// and above which the estimate is lowered until the queue is empty.
	queueMuch = 40 * time.Millisecond
	// drainTime is in which a queue should become empty, and drainMost the most that the
	// estimate is lowered by for it.
	drainTime = 500 * time.Millisecond
	drainMost = 0.3
	// drainBegin is how long a queue must last before the estimate is lowered. That of a
	// large picture is shorter: it becomes empty when packets leave more slowly.
	drainBegin = 300 * time.Millisecond
	// drainEnd is after how long a queue that doesn't become empty must be another flow's,
	// which would only take what this one leaves.
	drainEnd = 2 * time.Second
)

// queue tells how long packets wait on the path: the difference between the shortest
// delay of the last report and the shortest lately. Clocks of both sides may differ.
type queue struct {
	lowest [2]time.Duration // of the interval before and of this one
	from   time.Duration    // when this interval began
	last   time.Duration    // of the last report
	known  bool
	fresh  bool // last is of this report
	long   bool // the delay is above queueMuch
	since  time.Duration
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

// full reports whether there is a queue that less sending would make empty.
func (q *queue) full(now time.Duration) bool { return q.long && now-q.since < drainEnd }

// spare returns the fraction of an estimate that lets the queue become empty.
func (q *queue) spare(now time.Duration) float64 {
	if !q.full(now) || now-q.since < drainBegin {
		return 1
	}
	return 1 - min(float64(q.delay())/float64(drainTime), drainMost)
}

func (q *queue) delay() time.Duration { return q.last - min(q.lowest[0], q.lowest[1]) }
