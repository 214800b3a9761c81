package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestTrialTellsRandomLossFromCongestion feeds the losses of a path: own is what it loses
// at any rate, and capacity what it carries.
func TestTrialTellsRandomLossFromCongestion(t *testing.T) {
	for name, c := range map[string]struct {
		own, capacity float64
		least, most   float64 // that the estimate is after five seconds; it was 10 Mbit/s
	}{
		"nothing is lost":          {0, 20e6, 10e6, 10e6},
		"random loss of 1 %":       {0.01, 20e6, 10e6, 10e6},
		"random loss of 5 %":       {0.05, 20e6, 10e6, 10e6},
		"random loss of 9 %":       {0.09, 20e6, 10e6, 10e6},
		"random loss of 30 %":      {0.30, 20e6, 0, 5e6},
		"a path of 9.5 Mbit/s":     {0, 9.5e6, 8e6, 9.3e6},
		"a path of 5 Mbit/s":       {0, 5e6, 3e6, 5.2e6},
		"8 Mbit/s and 4 % of loss": {0.04, 8e6, 5e6, 8.4e6},
	} {
		var l losses
		bps := 10e6
		debt := 0.0
		for n := range 5000 { // each millisecond one packet; the rate is only told
			now := time.Duration(n) * ms
			debt += 1 - (1-c.own)*min(1, c.capacity/bps)
			l.add(now, debt >= 1)
			if debt >= 1 {
				debt--
			}
			if n%50 == 0 {
				bps = l.judge(now, now, bps, bps*(1-c.own)*min(1, c.capacity/bps))
			}
		}
		if bps < c.least || bps > c.most {
			t.Errorf("%s: the estimate is %.2f Mbit/s, want %.2f to %.2f", name, bps/1e6, c.least/1e6, c.most/1e6)
		}
	}
}

// TestLateIsNotLost reorders every packet: nothing of it is loss.
func TestLateIsNotLost(t *testing.T) {
	c := New(bounds)
	for n := range 500 {
		now := time.Duration(n) * 10 * ms
		seq := c.Sent(now, 1000)
		c.Feedback(now+ms, lie(seq-1, 1, uint32(n), 0, 0))
		c.Feedback(now+2*ms, lie(seq-1, 1, uint32(n), rtcp.TypeTCCPacketReceivedSmallDelta, 0))
	}
	if c.Loss() > 0.01 || c.losses.lost != 0 {
		t.Error("loss", c.Loss(), "lost", c.losses.lost)
	}
}

// TestTrainMeasures sends trains of packets of 1000 bytes.
func TestTrainMeasures(t *testing.T) {
	even := func(n int, d time.Duration) func(int) time.Duration {
		return func(i int) time.Duration { return time.Duration(i/n) * d }
	}
	for name, c := range map[string]struct {
		probe    uint8
		packets  int
		sent, at func(i int) time.Duration
		lost     int // of the last ones
		aim      float64
		want     measured
		verdict  verdict
	}{
		"a free path":              {1, 20, even(1, ms), even(1, ms), 0, 9e6, measured{8e6, false, 8e6}, told},
		"a full path":              {1, 20, even(1, ms), even(1, 2*ms), 0, 9e6, measured{0.95 * 4e6, true, 8e6}, told},
		"batches":                  {1, 20, even(5, 5*ms), even(5, 5*ms), 0, 9e6, measured{8e6, false, 8e6}, told},
		"batches over a full path": {1, 20, even(5, 5*ms), even(1, 2*ms), 0, 9e6, measured{0.95 * 4e6, true, 8e6}, told},
		"a tenth is lost":          {1, 20, even(1, ms), even(1, ms), 2, 9e6, measured{8e6, false, 8e6}, told},
		"a third is lost":          {1, 20, even(1, ms), even(1, ms), 7, 9e6, measured{}, unclear},
		"too few":                  {1, 3, even(1, 5*ms), even(1, 5*ms), 0, 9e6, measured{}, unclear},
		"all at once, full path":   {1, 10, even(10, 0), even(1, 2*ms), 0, 9e6, measured{0.95 * 4e6, true, 9e6}, told},
		"all at once, free path":   {1, 10, even(10, 0), even(5, 2*ms), 0, 9e6, measured{9e6, false, 9e6}, told},
		"arrives at once":          {1, 20, even(1, ms), even(20, ms), 0, 9e6, measured{}, bunched},
		"arrives much faster":      {1, 20, even(1, 4*ms), even(2, 2*ms), 0, 9e6, measured{}, bunched},
		"a picture":                {0, 30, even(1, ms), even(1, ms), 0, 0, measured{8e6, false, 8e6}, told},
		"a small picture":          {0, 10, even(1, ms), even(1, ms), 0, 0, measured{}, unclear},
		"a picture all at once":    {0, 30, even(30, ms), even(1, ms), 0, 0, measured{}, unclear},
	} {
		var tr train
		for i := range c.packets {
			p := &packet{sent: c.sent(i), size: 1000, probe: c.probe}
			if i == 0 {
				tr.begin(p)
			} else if !tr.continues(p) {
				t.Errorf("%s: packet %d begins another train", name, i)
			}
			if i >= c.packets-c.lost {
				tr.lose(p)
			} else {
				tr.add(p, c.at(i)+sec)
			}
		}
		least := 0
		if c.probe != 0 {
			least = 5000
		}
		m, v := tr.measure(least, c.aim)
		off := func(a, b float64) bool { return math.Abs(a-b) > b*0.06 }
		if v != c.verdict || m.full != c.want.full || off(m.bps, c.want.bps) || off(m.sent, c.want.sent) {
			t.Errorf("%s: %+v, verdict %d; want %+v, %d", name, m, v, c.want, c.verdict)
		}
	}
}

func TestProbesBeginWhenDue(t *testing.T) {
	var p prober
	fill := func(now time.Duration) (n uint8) { return p.sent(now, 1<<20) }
	p.initial(0, 1e6, 5e6)
	if p.rate() != 3e6 || p.need != probeBytes {
		t.Fatal("the first probe has", p.rate(), p.need)
	}
	if n := fill(0); n != 1 || p.rate() != 5e6 || p.need != 5e6/8*15/1000 {
		t.Fatal("the second probe has", p.rate(), p.need, "after number", n)
	}
	if n := fill(0); n != 2 || p.active {
		t.Fatal("there is a third probe after number", n)
	}
	p.result(100*ms, 2, 4.9e6, 4.9e6, 20e6)
	if p.rate() != 9.8e6 {
		t.Fatal("a good result is followed by", p.rate())
	}
	fill(100 * ms)
	p.result(200*ms, 3, 6e6, 6e6, 20e6)
	if p.active {
		t.Fatal("a poor result is followed by", p.rate())
	}
	p.found = true
	for _, at := range []time.Duration{sec, 6 * sec, 11 * sec} {
		p.due(at-ms, 0, 6e6, 20e6)
		early := p.active
		if p.due(at, 0, 6e6, 20e6); early || p.rate() != 12e6 {
			t.Errorf("at %v: %v, a millisecond earlier %v", at, p.rate(), early)
		}
		fill(at)
	}
	p.dropped(12*sec, 6e6, 2e6)
	p.due(13*sec, 12*sec+100*ms, 2e6, 20e6)
	if p.active {
		t.Error("it probes though delay grew less than a second ago")
	}
	if p.due(13*sec+100*ms, 12*sec+100*ms, 2e6, 20e6); p.rate() != 4e6 {
		t.Error("after a drop it does not probe")
	}
	if p.expire(15 * sec); p.active {
		t.Error("a probe lasts though nothing is sent")
	}
	if p.due(60*sec, 0, 20e6, 20e6); p.active {
		t.Error("it probes at the limit")
	}
}

func TestIdleIsLessThanTheEstimate(t *testing.T) {
	var d idle
	for n, c := range []struct {
		bps  int
		want bool
	}{{300_000, true}, {900_000, false}, {100_000, true}, {1_000_000, false}} {
		for i := range 100 { // a packet each 10 ms, of an estimate of 1 Mbit/s
			d.sent(time.Duration(n*100+i)*10*ms, c.bps/800, 1e6)
		}
		if d.is != c.want {
			t.Errorf("%d bit/s of 1 Mbit/s: idle is %v", c.bps, d.is)
		}
	}
}

func TestSilenceHalvesTheEstimate(t *testing.T) {
	c := New(bounds)
	c.Tick(time.Minute)
	if c.Estimate() != bounds.Start {
		t.Fatal("it falls though nothing was sent")
	}
	now := time.Minute
	seq := c.Sent(now, 1000)
	c.Feedback(now, lie(seq, 1, 0, rtcp.TypeTCCPacketReceivedSmallDelta, 0))
	now += time.Minute
	c.Tick(now)
	if c.Estimate() != bounds.Start {
		t.Fatal("it falls though nothing was sent since the last report")
	}
	want := []int{1_000_000, 1_000_000, 500_000, 250_000, 125_000, 100_000, 100_000}
	for i, w := range want {
		c.Sent(now, 1000)
		if c.Tick(now); c.Estimate() != w {
			t.Errorf("after %d s of silence: %d, want %d", i, c.Estimate(), w)
		}
		c.Tick(now + 500*ms)
		now += sec
	}
	c.Feedback(now, lie(30_000, 1, 0, rtcp.TypeTCCPacketReceivedSmallDelta, 0))
	if !c.unheard {
		t.Error("a report that names no packet counts as heard")
	}
}

// TestReceptionReports has a viewer without transport-wide feedback.
func TestReceptionReports(t *testing.T) {
	c := New(bounds)
	now := time.Duration(0)
	play := func(seconds int, lost uint8) {
		for range seconds {
			for range 10 {
				now += 100 * ms
				for range c.Estimate() / 8 / 10 / 1000 {
					c.Sent(now, 1000)
				}
				c.Tick(now)
			}
			c.Reception(now, lost, 70*ms)
		}
	}
	play(10, 0)
	risen := c.Estimate()
	if risen < 1_800_000 || risen > 2_300_000 || c.RTT() != 70*ms || c.Probe(now) != 0 {
		t.Error("without loss: estimate", risen, "RTT", c.RTT(), "probe", c.Probe(now))
	}
	play(5, 100)
	if c.Estimate() > risen/2 || c.Loss() < 0.3 {
		t.Error("with 39 % loss: estimate", c.Estimate(), "of", risen, "loss", c.Loss())
	}
}

func TestLimitBounds(t *testing.T) {
	c := New(bounds)
	c.Limit(3_000_000)
	if c.Estimate() != 3_000_000 {
		t.Error("without feedback the estimate is", c.Estimate())
	}
	for _, bps := range []int{0, -1, 1} {
		if c.Limit(bps); c.Estimate() != bounds.Min {
			t.Error("a limit of", bps, "gives", c.Estimate())
		}
	}
	c.Limit(math.MaxInt)
	if c.Estimate() != bounds.Max {
		t.Error("without a bound the estimate is", c.Estimate())
	}
	c = New(bounds)
	seq := c.Sent(0, 1000)
	c.Feedback(ms, lie(seq, 1, 0, rtcp.TypeTCCPacketReceivedSmallDelta, 0))
	if c.Limit(3_000_000); c.Estimate() != bounds.Start {
		t.Error("with feedback a limit raises the estimate to", c.Estimate())
	}
	if c.Limit(500_000); c.Estimate() != 500_000 {
		t.Error("with feedback the estimate is", c.Estimate())
	}
}
