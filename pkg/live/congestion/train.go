package congestion

import "time"

const (
	trainGap     = 10 * time.Millisecond // between two packets of one train
	trainLongest = 40 * time.Millisecond // then another one begins
	trainBatch   = time.Millisecond      // what left, or arrived, within it counts as one batch

	trainPackets  = 5                     // libwebrtc: min_probe_packets_sent
	trainShortest = 15 * time.Millisecond // libwebrtc: min_probe_duration; here of media
	trainHeard    = 0.8                   // the part of a train that must have arrived. libwebrtc: kMinReceivedProbesRatio
	trainInterval = time.Second           // from the first packet to the last, at most. libwebrtc: kMaxProbeInterval
	trainRatio    = 2                     // arrival rate to send rate: above it the arrival says nothing. libwebrtc: kMaxValidRatio
	trainFree     = 0.9                   // the same: below it the path was full. libwebrtc: kMinRatioForUnsaturatedLink
	trainUse      = 0.95                  // the part of a full path that is used. libwebrtc: kTargetUtilizationFraction
)

// train is packets that left one after another: a probe, or a picture that was large
// enough. Its rates are measured from batch to batch, since packets leave in batches, and
// over Wi-Fi also arrive in batches: the rate at which it left doesn't count the last batch
// that was sent (tail), and the rate at which it arrived doesn't count the first batch
// that arrived (head).
type train struct {
	probe             uint8 // number of the probe; 0: it is a picture
	packets, lost     int
	bytes             int           // that arrived
	first, last       time.Duration // when the first and the last packet were sent
	tailFrom          time.Duration // when the first packet of the last batch was sent
	tail              int           // bytes of that batch
	arrived, complete time.Duration // when the first and the last packet arrived
	headUntil         time.Duration // when the last packet of the first batch arrived
	head              int           // bytes of that batch
}

// continues reports whether a packet belongs to the train.
func (t *train) continues(p *packet) bool {
	if t.packets == 0 && t.lost == 0 || p.probe != t.probe {
		return false
	}
	return p.probe != 0 || p.sent-t.last <= trainGap && p.sent-t.first <= trainLongest
}

func (t *train) begin(p *packet) {
	*t = train{probe: p.probe, first: p.sent, last: p.sent, tailFrom: p.sent}
}

func (t *train) lose(p *packet) {
	t.lost++
	t.last = max(t.last, p.sent)
}

func (t *train) add(p *packet, at time.Duration) {
	if t.packets == 0 {
		t.first, t.tailFrom, t.arrived, t.headUntil, t.complete = p.sent, p.sent, at, at, at
	}
	if p.sent-t.tailFrom > trainBatch {
		t.tailFrom, t.tail = p.sent, 0
	}
	if at-t.arrived <= trainBatch {
		t.headUntil = max(t.headUntil, at)
		t.head += int(p.size)
	}
	t.tail += int(p.size)
	t.last = max(t.last, p.sent)
	t.complete = max(t.complete, at)
	t.packets++
	t.bytes += int(p.size)
}

// measured is what a train tells about the path.
type measured struct {
	bps  float64 // bit/s that the path carries at least
	full bool    // it carries about that, and no more
	sent float64 // bit/s at which the train left
}

type verdict uint8

const (
	told    verdict = iota // the train tells something
	unclear                // too little of it arrived, or it was too short
	bunched                // it was held up, and then arrived faster than it was sent
)

// measure returns what the train tells. least is how many bytes a probe needs, and aim
// its bit/s; they are 0 for a picture. A probe that left in one batch, as the first packets
// of a session do, counts as sent at aim.
func (t *train) measure(least int, aim float64) (m measured, v verdict) {
	out, in := t.tailFrom-t.first, t.complete-t.headUntil
	switch {
	case t.packets < trainPackets*4/5, t.bytes < least*4/5,
		float64(t.packets) < trainHeard*float64(t.packets+t.lost),
		out > trainInterval, in > trainInterval,
		t.probe == 0 && t.last-t.first < trainShortest:
		return m, unclear
	case in <= 0:
		return m, bunched
	}
	sent, arrived := aim, perSecond(t.bytes-t.head, in)
	switch {
	case out > 0:
		sent = perSecond(t.bytes-t.tail, out)
	case aim == 0:
		return m, unclear
	}
	switch {
	case out > 0 && arrived > trainRatio*sent:
		return m, bunched
	case arrived < trainFree*sent:
		return measured{trainUse * arrived, true, sent}, told
	}
	return measured{min(sent, arrived), false, sent}, told
}
