package congestion

import "time"

const (
	trainGap     = 10 * time.Millisecond // between two packets of one train
	trainLongest = 40 * time.Millisecond // then another one begins
	batchTime    = time.Millisecond      // packets within it left, or arrived, at one time

	trainPackets  = 5                     // libwebrtc: min_probe_packets_sent
	trainShortest = 15 * time.Millisecond // libwebrtc: min_probe_duration; here of media
	trainHeard    = 0.8                   // of a train must have arrived. libwebrtc: kMinReceivedProbesRatio
	trainInterval = time.Second           // libwebrtc: kMaxProbeInterval
	trainRatio    = 2                     // above it the arrival says nothing. libwebrtc: kMaxValidRatio
	trainFree     = 0.9                   // below it the path was full. libwebrtc: kMinRatioForUnsaturatedLink
	trainUse      = 0.95                  // of a full path. libwebrtc: kTargetUtilizationFraction
)

// train is packets that left one after another: a probe, or a picture that was large
// enough. Its rates are measured from batch to batch, since packets leave in batches, and
// over Wi-Fi arrive in such.
type train struct {
	probe             uint8
	packets, lost     int
	bytes             int           // that arrived
	first, last       time.Duration // sent
	tailFrom          time.Duration // sent: the last batch
	tail              int           // its bytes
	arrived, complete time.Duration
	headUntil         time.Duration // arrival of the last packet of the first batch
	head              int           // its bytes
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
	if p.sent-t.tailFrom > batchTime {
		t.tailFrom, t.tail = p.sent, 0
	}
	if at-t.arrived <= batchTime {
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
	bps  float64 // what it carried at least
	full bool    // and no more than about
	sent float64 // bit/s at which it left
}

type verdict uint8

const (
	told    verdict = iota
	unclear         // too little of it arrived, or it was too short
	bunched         // it was held up, and then arrived faster than it was sent
)

// measure returns what the train tells. least is how many bytes it needs, and aim the
// bit/s of a probe; they are 0 for a picture. What left at once, such as the first packets
// of all, counts as sent at the rate that was aimed at.
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
