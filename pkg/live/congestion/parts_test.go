package congestion

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestHistoryKnowsOnlyTheLastPackets(t *testing.T) {
	var h history
	if _, ok := h.find(0); ok {
		t.Error("it knows a packet before one was sent")
	}
	for n := range 70_000 {
		if seq := h.add(packet{size: uint16(n)}); seq != uint16(n) {
			t.Fatalf("packet %d has number %d", n, seq)
		}
	}
	for back, want := range map[int]bool{1: true, 2: true, historySize: true, historySize + 1: false, 0: false, -1: false, -20_000: false, 40_000: false} {
		n := 70_000 - back
		number, ok := h.find(uint16(n))
		if ok != want || ok && (number != uint64(n) || h.at(number).size != uint16(n)) {
			t.Errorf("packet %d: number %d, known %v", n, number, ok)
		}
	}
	if h.at(70_000) != nil {
		t.Error("it has a packet that was not sent")
	}
}

func TestReferenceTimeWraps(t *testing.T) {
	var c arrivalClock
	for _, s := range []struct {
		ref  uint32
		want int64
	}{{1<<24 - 2, 1<<24 - 2}, {1<<24 - 1, 1<<24 - 1}, {3, 1<<24 + 3}, {1, 1<<24 + 1}, {1<<24 - 1, 1<<24 - 1}, {0, 1 << 24}} {
		if at := c.at(s.ref); at != time.Duration(s.want)*refUnit {
			t.Errorf("reference time %d is %d units, want %d", s.ref, at/refUnit, s.want)
		}
	}
}

// TestFeedbackNamesPackets sends 40 packets, of which a report has some in each of the
// forms that there are, and a second report repeats and corrects it.
func TestFeedbackNamesPackets(t *testing.T) {
	c := New(bounds)
	for n := range 40 {
		c.Sent(time.Duration(n)*time.Millisecond, 1000)
	}
	c.Feedback(100*time.Millisecond, &rtcp.TransportLayerCC{
		BaseSequenceNumber: 65_530, PacketStatusCount: 30, ReferenceTime: 9,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: 0, RunLength: 8},                                              // 6 before, and 0, 1
			&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 3},                                              // 2 to 4
			&rtcp.StatusVectorChunk{SymbolSize: 1, SymbolList: []uint16{2, 0, 3, 1, 0, 0, 1}},                      // 5 to 11
			&rtcp.StatusVectorChunk{SymbolSize: 0, SymbolList: []uint16{1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}, // 12 to 23, and what isn't counted
			&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 8191},
		},
		RecvDeltas: make([]*rtcp.RecvDelta, 0),
	})
	// The deltas are missing: the report ends where the first should be.
	states := func(from, to int) (l []state) {
		for n := from; n < to; n++ {
			l = append(l, c.history.packets[n].state)
		}
		return l
	}
	if got := states(0, 4); !slices.Equal(got, []state{missing, missing, unreported, unreported}) {
		t.Error("without deltas:", got)
	}
	delta := &rtcp.RecvDelta{Delta: 1000}
	f := &rtcp.TransportLayerCC{
		BaseSequenceNumber: 0, PacketStatusCount: 12, ReferenceTime: 9,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 5},
			&rtcp.StatusVectorChunk{SymbolSize: 1, SymbolList: []uint16{2, 0, 3, 1, 0, 0, 1}},
		},
		RecvDeltas: []*rtcp.RecvDelta{delta, delta, delta, delta, delta, {Delta: -500}, delta, delta},
	}
	want := []state{received, received, received, received, received, received, missing, received, received, missing, missing, received, unreported}
	for range 2 {
		c.Feedback(110*time.Millisecond, f)
		if got := states(0, 13); !slices.Equal(got, want) {
			t.Error("states", got, "want", want)
		}
	}
	if c.losses.packets != 12 || c.losses.lost != 3 {
		t.Error(c.losses.lost, "of", c.losses.packets, "packets are lost, want 3 of 12")
	}
	if rtt := c.RTT(); rtt < 90*time.Millisecond || rtt > 110*time.Millisecond {
		t.Error("the round trip is", rtt)
	}
}

// TestSkipIsTheLongWay compares what skip leaves out with the history.
func TestSkipIsTheLongWay(t *testing.T) {
	var h history
	for range 66_000 {
		h.add(packet{})
	}
	for _, base := range []uint16{0, 400, 463, 464, 465, 30_000, 61_000, 61_903, 61_904, 61_905, 65_535} {
		w := walk{seq: base, left: 5000}
		left := w.skip(5000, &h)
		for n := range 5000 - left {
			if _, ok := h.find(base + uint16(n)); ok {
				t.Fatalf("from %d, %d is passed over though it is known", base, base+uint16(n))
			}
		}
		if w.left != left || w.seq != base+uint16(5000-left) {
			t.Errorf("from %d: %d left in the report, %d in the run, next is %d", base, w.left, left, w.seq)
		}
	}
}

type hop struct {
	sent, at time.Duration
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		packets []hop
		left    []time.Duration // between groups that were complete
		arrived []time.Duration
	}{
		"groups of 5 ms": {[]hop{{0, 20}, {4, 21}, {10, 30}, {12, 33}, {20, 41}, {30, 50}}, []time.Duration{8, 8}, []time.Duration{12, 8}},
		"what arrives together": {[]hop{{0, 20}, {10, 30}, {20, 60}, {30, 60}, {40, 61}, {50, 70}, {60, 80}},
			[]time.Duration{10, 30, 10}, []time.Duration{10, 31, 9}},
		"a late packet":          {[]hop{{0, 20}, {10, 30}, {3, 31}, {20, 40}, {30, 50}}, []time.Duration{10, 10}, []time.Duration{10, 10}},
		"the clock was set":      {[]hop{{0, 20}, {10, 30}, {20, 9000}, {30, 9010}, {40, 9020}, {50, 9030}}, []time.Duration{10}, []time.Duration{10}},
		"the clock was set back": {[]hop{{0, 900}, {10, 910}, {20, 500}, {30, 510}, {40, 520}, {50, 530}}, []time.Duration{10, 10}, []time.Duration{10, 10}},
	} {
		var g groups
		var left, arrived []time.Duration
		for _, p := range c.packets {
			if l, a, _, ok := g.add(&packet{sent: p.sent * ms, size: 100}, p.at*ms); ok {
				left, arrived = append(left, l/ms), append(arrived, a/ms)
			}
		}
		if !slices.Equal(left, c.left) || !slices.Equal(arrived, c.arrived) {
			t.Errorf("%s: left %v, arrived %v; want %v, %v", name, left, arrived, c.left, c.arrived)
		}
	}
}

func TestTrend(t *testing.T) {
	for name, c := range map[string]struct {
		more func(n int) time.Duration // later than the group before
		want usage
	}{
		"steady":           {func(int) time.Duration { return 0 }, normal},
		"grows":            {func(int) time.Duration { return 2 * ms }, overuse},
		"shrinks":          {func(int) time.Duration { return -2 * ms }, underuse},
		"goes up and down": {func(n int) time.Duration { return time.Duration(1-2*(n%2)) * 5 * ms }, normal},
		"grew once":        {func(n int) time.Duration { return time.Duration(n/30*(1-min(1, n/31))) * 10 * ms }, normal},
		"drifts by 1 %":    {func(int) time.Duration { return 200 * time.Microsecond }, normal},
	} {
		tr := newTrend()
		at := time.Duration(0)
		for n := range 100 {
			d := 20*ms + c.more(n)
			at += d
			tr.add(20*ms, d, at)
			if tr.threshold < thresholdMin || tr.threshold > thresholdMax {
				t.Fatal(name, "threshold", tr.threshold)
			}
		}
		if tr.usage != c.want {
			t.Errorf("delay that %s: usage %d, want %d; slope %v", name, tr.usage, c.want, tr.slope)
		}
	}
}

func TestDeliveredRate(t *testing.T) {
	var d delivered
	if d.rate(deliveredWindow) != 0 {
		t.Error("nothing has arrived")
	}
	for n := range 300 {
		bytes := 1250 // each 10 ms: 1 Mbit/s
		if n >= 280 {
			bytes = 125
		}
		d.add(time.Duration(n)*10*ms, bytes)
	}
	if bps := d.rate(congestedWindow); math.Abs(bps-1e5) > 1 {
		t.Error("the last 150 ms:", bps)
	}
	if bps := d.rate(deliveredWindow); math.Abs(bps-640e3) > 1 { // 30 groups of 10 kbit and 20 of 1 in 500 ms
		t.Error("the last 500 ms:", bps)
	}
	d.add(0, 100)
	if d.rate(deliveredWindow) != 0 {
		t.Error("it goes on though the clock was set")
	}
}

func TestRateRisesAndFalls(t *testing.T) {
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > want/1000 {
			t.Errorf("%s: %.0f, want %.0f", name, got, want)
		}
	}
	r := rate{bps: 1e6}
	r.raise(sec, 100*ms, 2e6)
	near("8 % in a second", r.bps, 1.08e6)
	r.raise(2*sec, 100*ms, 0.7e6)
	near("no more than 1.5 times what arrives, and 10 kbit/s", r.bps, 1.08e6)
	r.raise(3*sec, 100*ms, 0)
	near("nothing is known of what arrives", r.bps, 1.08e6)
	if !r.congested(3*sec, 100*ms, 1e6) {
		t.Error("it did not fall")
	}
	near("0.85 of what arrives", r.bps, 0.85e6)
	r.raise(4*sec, 100*ms, 0.9e6)
	near("one packet in each response time", r.bps, 0.85e6+9600/0.2)
	if r.congested(4*sec, 100*ms, 0.95e6); r.bps > 0.81e6 {
		t.Error("it did not fall again after a second:", r.bps)
	}
	before := r.bps
	if r.congested(4*sec+50*ms, 100*ms, 0.6e6) || r.bps != before {
		t.Error("it fell twice in a round trip")
	}
	if !r.congested(4*sec+60*ms, 100*ms, 0.3e6) {
		t.Error("it waits though not half of it arrives")
	}
	r.raise(6*sec, 100*ms, 5e6)
	if r.near.known() {
		t.Error("much more arrives than the maximum, which is kept")
	}
}
