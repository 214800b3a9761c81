package congestion

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

var bounds = Config{Start: 1_000_000, Min: 100_000, Max: 8_000_000}

func within(t *testing.T, c *Controller) {
	t.Helper()
	if e := c.Estimate(); e < bounds.Min || e > bounds.Max {
		t.Fatal("the estimate is", e)
	}
	if p := c.PacingRate(); p < bounds.Min || p > bounds.Max*3 {
		t.Fatal("the pacing rate is", p)
	}
	if l := c.Loss(); !(l >= 0 && l <= 1) {
		t.Fatal("the loss is", l)
	}
	if c.RTT() < 0 || c.Probe(c.clock) < 0 || c.Probe(c.clock) > 1<<20 {
		t.Fatal("RTT", c.RTT(), "probe", c.Probe(c.clock))
	}
}

// report makes a report of n packets from seq on, with one symbol and delta for all.
func lie(seq uint16, n int, ref uint32, symbol uint16, delta time.Duration) *rtcp.TransportLayerCC {
	f := &rtcp.TransportLayerCC{BaseSequenceNumber: seq, PacketStatusCount: uint16(n), ReferenceTime: ref & 0xffffff}
	for left := n; left > 0; left -= 8191 {
		f.PacketChunks = append(f.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: symbol, RunLength: uint16(min(left, 8191))})
	}
	if symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta {
		for range n {
			f.RecvDeltas = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: delta.Microseconds()})
		}
	}
	return f
}

// TestLyingViewerStaysWithinTheBounds sends each second 300 packets to a viewer whose
// reports are not true.
func TestLyingViewerStaysWithinTheBounds(t *testing.T) {
	const small, large uint16 = rtcp.TypeTCCPacketReceivedSmallDelta, rtcp.TypeTCCPacketReceivedLargeDelta
	random := rand.New(rand.NewPCG(3, 4))
	for name, tell := range map[string]func(seq uint16, ref uint32) *rtcp.TransportLayerCC{
		"all lost":    func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq, 15, ref, 0, 0) },
		"all at once": func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq, 15, ref, small, 0) },
		"never later": func(seq uint16, _ uint32) *rtcp.TransportLayerCC { return lie(seq, 15, 7, small, 0) },
		"going back":  func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq, 15, -ref, large, -time.Second) },
		"far later": func(seq uint16, ref uint32) *rtcp.TransportLayerCC {
			return lie(seq, 15, ref*8191, large, 8*time.Second)
		},
		"of the future": func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq+1000, 15, ref, small, 0) },
		"everything":    func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq-700, 1400, ref, small, 0) },
		"nothing ever":  func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq+1, 65535, ref, 0, 0) },
		"no times":      func(seq uint16, ref uint32) *rtcp.TransportLayerCC { return lie(seq, 15, ref, 3, 0) },
		"no deltas": func(seq uint16, ref uint32) *rtcp.TransportLayerCC {
			f := lie(seq, 15, ref, small, 0)
			f.RecvDeltas = f.RecvDeltas[:3]
			return f
		},
		"noise": func(seq uint16, ref uint32) *rtcp.TransportLayerCC {
			return lie(seq-uint16(random.IntN(40)), random.IntN(60), ref+random.Uint32N(5), uint16(random.IntN(4)), time.Duration(random.IntN(1e9)-5e8))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(bounds)
			now := time.Hour
			for n := range 6000 {
				now += time.Second / 300
				seq := c.Sent(now, 1200)
				if n%15 == 14 {
					c.Feedback(now, tell(seq-14, uint32(n)/20))
					c.Tick(now)
				}
				within(t, c)
			}
			if (name == "all lost" || name == "of the future" || name == "nothing ever") && c.Estimate() != bounds.Min {
				t.Error("the estimate is", c.Estimate())
			}
		})
	}
}

// FuzzFeedback gives the controller what may come over the wire. A byte of moves before
// each report says how many packets leave and how much time passes.
func FuzzFeedback(f *testing.F) {
	for _, r := range []*rtcp.TransportLayerCC{lie(0, 20, 5, 1, time.Millisecond), lie(0xfff0, 30, 5, 2, -time.Millisecond), lie(3, 9000, 1<<23, 0, 0)} {
		r.Header = rtcp.Header{Padding: true, Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback}
		r.Header.Length = uint16(r.MarshalSize()/4 - 1)
		b, err := r.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte{40, 255, 3, 9}, b)
	}
	f.Fuzz(func(t *testing.T, moves, data []byte) {
		packets, err := rtcp.Unmarshal(data)
		if err != nil {
			return
		}
		c := New(bounds)
		now := time.Duration(0)
		for _, m := range moves[:min(len(moves), 32)] {
			for range m {
				now += time.Duration(m%16) * time.Millisecond
				c.Sent(now, int(m)*8)
			}
			for _, p := range packets {
				switch p := p.(type) {
				case *rtcp.TransportLayerCC:
					c.Feedback(now, p)
					p.BaseSequenceNumber += uint16(m)
					p.ReferenceTime += uint32(m)
				case *rtcp.ReceiverEstimatedMaximumBitrate:
					c.Limit(int(p.Bitrate))
				case *rtcp.ReceiverReport:
					for _, r := range p.Reports {
						c.Reception(now, r.FractionLost, time.Duration(r.Delay))
					}
				}
			}
			c.Tick(now)
			within(t, c)
		}
	})
}

// BenchmarkController measures one packet with its share of a report.
func BenchmarkController(b *testing.B) {
	c := New(bounds)
	f := lie(0, 20, 0, rtcp.TypeTCCPacketReceivedSmallDelta, 3*time.Millisecond)
	now := time.Hour
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		now += 3 * time.Millisecond
		seq := c.Sent(now, 1200)
		if n++; n%20 == 0 {
			f.BaseSequenceNumber, f.ReferenceTime = seq-19, uint32(now/refUnit)&0xffffff
			c.Feedback(now, f)
			c.Tick(now)
		}
	}
}

func TestControllerDoesNotAllocate(t *testing.T) {
	c := New(bounds)
	f := lie(0, 20, 0, rtcp.TypeTCCPacketReceivedSmallDelta, 3*time.Millisecond)
	f.PacketChunks = []rtcp.PacketStatusChunk{
		&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 13},
		&rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: []uint16{1, 1, 1, 0, 1, 1, 1}},
	}
	now := time.Hour
	if n := testing.AllocsPerRun(1000, func() {
		for range 19 {
			now += 3 * time.Millisecond
			c.Sent(now, 1200)
		}
		f.BaseSequenceNumber, f.ReferenceTime = c.Sent(now, 1200)-19, uint32(now/refUnit)&0xffffff
		c.Feedback(now, f)
		c.Reception(now, 0, 40*time.Millisecond)
		c.Tick(now)
	}); n != 0 {
		t.Error(n, "allocations")
	}
}
