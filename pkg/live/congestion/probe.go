package congestion

import "time"

const (
	probeTime = 15 * time.Millisecond // libwebrtc: min_probe_duration
	// probeLong is the same where packets arrive in bunches, as over busy Wi-Fi.
	probeLong     = 45 * time.Millisecond
	probeBytes    = trainPackets * 1200    // the fewest bytes of a probe
	probeInterval = 5 * time.Second        // libwebrtc: alr_probing_interval
	probeSoon     = 2 * time.Second        // the same until the path's limit was found, and after a drop
	probeCalm     = time.Second            // how long delay must not have grown before a probe
	probeExpiry   = 500 * time.Millisecond // how long a probe waits for enough to send
	probeScale    = 2                      // times the estimate. libwebrtc: alr_scale, further_exponential_probe_scale
	probeFurther  = 0.7                    // a probe that found this part of its rate is worth another. libwebrtc: further_probe_threshold
	probeRates    = 8                      // how many probes are remembered; must be a power of two, because number wraps
	dropRatio     = 0.66                   // a fall to less than this part is a drop. libwebrtc: kBitrateDropThreshold
)

// prober decides when probes begin and how fast they are.
type prober struct {
	queue   [2]float64          // bit/s of the probes to come
	number  uint8               // of the probe under way or the last one; never 0 once there was one
	rates   [probeRates]float64 // bit/s of the last probes, by number
	needs   [probeRates]int     // their bytes
	active  bool
	begun   time.Duration
	need    int           // bytes that it still needs
	next    time.Duration // when the next one may begin
	highest float64       // the estimate before it dropped, until it is reached again; 0: it is
	failed  bool          // the last probe found little
	long    bool          // probes last probeLong: one arrived faster than it was sent
	found   bool          // the path's limit was found once
}

// initial begins the probes of a new path, at three and six times the estimate.
// (libwebrtc: first_ and second_exponential_probe_scale)
func (p *prober) initial(now time.Duration, bps, limit float64) {
	p.next = now + probeCalm
	if bps >= limit {
		return
	}
	p.queue[0] = min(3*bps, limit)
	if p.queue[0] < limit {
		p.queue[1] = min(6*bps, limit)
	}
	p.begin(now)
}

// begin starts the first probe of the queue.
func (p *prober) begin(now time.Duration) {
	p.active = false
	if p.queue[0] == 0 {
		return
	}
	if p.number++; p.number == 0 {
		p.number = 1
	}
	d := probeTime
	if p.long {
		d = probeLong
	}
	i := p.number % probeRates
	p.rates[i] = p.queue[0]
	p.needs[i] = max(int(p.queue[0]/8*d.Seconds()), probeBytes)
	p.active, p.begun, p.need = true, now, p.needs[i]
	p.queue = [2]float64{p.queue[1], 0}
}

// sent counts a packet, and returns the number of the probe that it belongs to.
func (p *prober) sent(now time.Duration, size int) uint8 {
	if !p.active {
		return 0
	}
	n := p.number
	if p.need -= size; p.need <= 0 {
		p.begin(now)
	}
	return n
}

// expire ends a probe for which there was not enough to send.
func (p *prober) expire(now time.Duration) {
	if p.active && now-p.begun > probeExpiry {
		p.active, p.queue = false, [2]float64{}
	}
}

// cancel ends the probes under way and to come, since the estimate falls or delay grows.
func (p *prober) cancel() { p.active, p.queue = false, [2]float64{} }

// rate returns the rate of the probe under way, or 0.
func (p *prober) rate() float64 {
	if !p.active {
		return 0
	}
	return p.rates[p.number%probeRates]
}

// due begins a probe if it is time for one. calm is when delay last grew.
func (p *prober) due(now, calm time.Duration, bps, limit float64) {
	if p.active || now < p.next || now-calm < probeCalm || bps >= limit {
		return
	}
	p.next = now + probeInterval
	if !p.found || p.highest > bps && !p.failed {
		p.next = now + probeSoon
	}
	p.queue[0] = min(probeScale*bps, limit)
	p.begin(now)
}

// dropped remembers the estimate before it fell, so that it is probed for again soon.
func (p *prober) dropped(now time.Duration, before, after float64) {
	if after < dropRatio*before {
		p.highest = max(p.highest, before)
	}
	if p.highest > 0 {
		p.next, p.failed = min(p.next, now+probeCalm), false
	}
}

// failure notes that a probe could not be measured, so that another follows soon.
func (p *prober) failure(now time.Duration, v verdict) {
	p.long = p.long || v == bunched
	p.next = min(p.next, now+probeCalm)
}

// result takes what a probe found, and begins a faster one at once if that is promising.
// bps is the estimate. After a probe at the limit there is nothing faster: on a path just
// below it, each probe would promise the next one.
func (p *prober) result(now time.Duration, number uint8, found, bps, limit float64) {
	if bps >= p.highest {
		p.highest = 0
	}
	aim := p.rates[number%probeRates]
	p.failed = found < probeFurther*aim
	if !p.failed && aim < limit && !p.active && p.queue[0] == 0 && number == p.number && bps < limit {
		p.queue[0] = min(probeScale*bps, limit)
		p.begin(now)
	}
}
