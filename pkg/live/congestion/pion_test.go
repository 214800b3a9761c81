package congestion

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// pion is the estimator of pion/interceptor, with the rate of its own pacer.
type pion struct {
	bwe *gcc.SendSideBWE
	out interceptor.RTPWriter
	seq uint16
}

func newPion(t *testing.T) *pion {
	t.Helper()
	bwe, err := gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(1_000_000), gcc.SendSideBWEMinBitrate(100_000),
		gcc.SendSideBWEMaxBitrate(30_000_000), gcc.SendSideBWEPacer(gcc.NewNoOpPacer()),
		gcc.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard}))
	if err != nil {
		t.Fatal(err)
	}
	info := &interceptor.StreamInfo{SSRC: 1, RTPHeaderExtensions: []interceptor.RTPHeaderExtension{
		{URI: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", ID: 1}}}
	return &pion{bwe: bwe, out: bwe.AddStream(info, interceptor.RTPWriterFunc(
		func(*rtp.Header, []byte, interceptor.Attributes) (int, error) { return 0, nil }))}
}

func (p *pion) Sent(_ time.Duration, size int) uint16 {
	h := &rtp.Header{Version: 2, SSRC: 1}
	ext, _ := (&rtp.TransportCCExtension{TransportSequence: p.seq}).Marshal()
	_ = h.SetExtension(1, ext)
	_, _ = p.out.Write(h, make([]byte, size), nil)
	p.seq++
	return p.seq - 1
}

func (p *pion) Feedback(_ time.Duration, f *rtcp.TransportLayerCC) {
	_ = p.bwe.WriteRTCP([]rtcp.Packet{f}, nil)
	synctest.Wait()
}

func (p *pion) Tick(time.Duration)      {}
func (p *pion) Estimate() int           { return p.bwe.GetTargetBitrate() }
func (p *pion) PacingRate() int         { return p.Estimate() * 3 / 2 } // as its leaky bucket does
func (p *pion) Probe(time.Duration) int { return 0 }

// TestNoWorseThanPion gives the same links to the estimator of pion/interceptor, which has
// no probes: this one delivers no less at any time.
func TestNoWorseThanPion(t *testing.T) {
	for name, l := range map[string]link{
		"12 Mbit/s":   {rate: constant(12e6), queue: 150 * ms},
		"1.5 Mbit/s":  {rate: constant(1.5e6), queue: 300 * ms},
		"5 % of loss": {rate: constant(12e6), queue: 150 * ms, loss: 0.05},
		"12, 2, 12":   {rate: between(12e6, 2e6, 6*sec, 10*sec), queue: 300 * ms},
	} {
		l.delay = 20 * ms
		ours := story{link: l, reports: 50 * ms, most: constant(30e6), length: 14 * sec}
		ours.run(t)
		other := story{link: l, reports: ours.reports, most: ours.most, length: ours.length}
		synctest.Test(t, func(t *testing.T) {
			p := newPion(t)
			other.control, other.wait = p, func() { time.Sleep(step) }
			other.run(t)
			if err := p.bwe.Close(); err != nil {
				t.Error(err)
			}
		})
		for from := time.Duration(0); from < ours.length; from += 2 * sec {
			a, q, _ := ours.between(from, from+2*sec)
			b, r, _ := other.between(from, from+2*sec)
			if a < 0.95*b {
				t.Errorf("%s, from %v: %.2f Mbit/s and a queue of %v, pion's %.2f and %v", name, from, a/1e6, q, b/1e6, r)
			}
		}
	}
}
