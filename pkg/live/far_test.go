package live

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/client/receive/receivetest"
	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
)

// uplink is a model of a home's way to a viewer, in simulated time: a queue in front of a
// bottleneck, then delay, and losses by the model of Gilbert.
type uplink struct {
	rate        float64       // bit/s
	other       float64       // and between two moments since the beginning; 0: the same
	from, to    time.Duration // these moments
	queue       time.Duration // what would wait longer is dropped
	delay       time.Duration // each way
	jitter      time.Duration // at most so much more
	loss, burst float64       // share of the packets, and how many in a row

	random  *rand.Rand
	free    time.Duration // when the bottleneck is free again
	last    time.Duration // when the last packet arrives
	losing  bool
	way     chan arrival
	dropped int
	log     []departed
}

// departed is a packet that was given to the link.
type departed struct {
	at    time.Duration
	bytes int
}

// arrival is a packet that will come to the viewer.
type arrival struct {
	at     time.Duration
	packet *rtp.Packet
}

func (l *uplink) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	const below = 16 + 28 // bytes of SRTP, UDP and IP
	now := media.Now()
	if l.free = max(l.free, now); l.free-now > l.queue {
		l.dropped++
		return len(payload), nil
	}
	size, rate := h.MarshalSize()+len(payload)+below, l.rate
	if l.other > 0 && now-simulated >= l.from && now-simulated < l.to {
		rate = l.other
	}
	l.log = append(l.log, departed{now - simulated, size})
	l.free += time.Duration(float64(size) * 8 / rate * float64(time.Second))
	if l.loses() {
		return len(payload), nil
	}
	l.last = max(l.last, l.free+l.delay+time.Duration(l.random.Int64N(int64(l.jitter)+1)))
	l.way <- arrival{l.last, &rtp.Packet{Header: h.Clone(), Payload: append([]byte(nil), payload...)}}
	return len(payload), nil
}

func (l *uplink) Write([]byte) (int, error) { return 0, nil }

func (l *uplink) loses() bool {
	if l.loss == 0 {
		return false
	}
	r := l.random.Float64()
	if l.losing {
		l.losing = r >= 1/l.burst
	} else {
		l.losing = r < l.loss/(1-l.loss)/l.burst
	}
	return l.losing
}

// farViewer receives what a viewer's goroutine sends over an uplink, as pkg/client does, and
// reports what has come.
type farViewer struct {
	t       *testing.T
	v       *viewer
	link    *uplink
	shown   []time.Duration // when pictures were complete
	noise   *rand.Rand
	bitrate atomic.Int64  // of the encoder, bit/s; 0: its highest
	key     chan struct{} // asks the encoder for a key frame
	blind   bool          // it asks again for packets that have come again, as plain pion does
	mu      sync.Mutex
	track   *receive.Track
	newest  uint16 // number of the newest packet
	begun   bool   // one has come
	came    *twcc.Recorder
	header  []byte                // of the packet that has come
	asker   interceptor.RTPReader // pion's NACK generator reads it
}

// simulated is when a simulation begins, on the capture clock.
const simulated = time.Hour

// newFarViewer makes both sides. It must be called in a bubble of package synctest.
func newFarViewer(t *testing.T, l *uplink) *farViewer {
	time.Sleep(simulated - media.Now()) // a bubble begins before the capture clock does
	l.way = make(chan arrival, 8192)
	f := &farViewer{t: t, link: l, track: receive.NewVideo(time.Now()), came: twcc.NewRecorder(1),
		noise: rand.New(rand.NewPCG(3, 4)), key: make(chan struct{}, 1)} //nolint:gosec // a test
	f.v = testViewer(l, packets.New(90000, true))
	f.v.numbered(t, true)
	f.v.force, f.v.keyframe = true, (&cameraControl{Camera: f}).keyframe
	return f
}

// RequestKeyframe implements Camera, as the other methods do.
func (f *farViewer) RequestKeyframe() {
	select {
	case f.key <- struct{}{}:
	default: // it has been asked already
	}
}

func (f *farViewer) SetBitrate(int)                    {}
func (f *farViewer) Bitrate() int                      { return 0 }
func (f *farViewer) Format() (media.VideoFormat, bool) { return media.VideoFormat{}, false }

// report sends RTCP to the camera.
func (f *farViewer) report(p rtcp.Packet) {
	b, err := p.Marshal()
	must(f.t, err)
	time.AfterFunc(f.link.delay, func() { f.v.feedback(1, b) })
}

func (f *farViewer) receive() {
	for a := range f.link.way {
		time.Sleep(a.at - media.Now())
		f.mu.Lock()
		p := a.packet
		f.came.Record(1, binary.BigEndian.Uint16(p.GetExtension(3)), media.Now().Microseconds())
		again := p.SSRC == 2
		if again {
			p.SSRC, p.SequenceNumber, p.Payload = 1, binary.BigEndian.Uint16(p.Payload), p.Payload[2:]
		}
		switch ahead := int16(p.SequenceNumber-f.newest) > 0; {
		case again && (ahead || !f.begun): // it is padding
			f.mu.Unlock()
			continue
		case ahead || !f.begun:
			f.newest, f.begun = p.SequenceNumber, true
		}
		if !again || !f.blind {
			var err error
			f.header, err = p.Header.Marshal()
			must(f.t, err)
			_, _, err = f.asker.Read(make([]byte, 1500), nil)
			must(f.t, err)
		}
		if f.track.Packet(p, time.Now(), func(receive.Frame) { f.shown = append(f.shown, media.Now()) }) {
			f.report(&rtcp.PictureLossIndication{MediaSSRC: 1})
		}
		f.mu.Unlock()
	}
}

// every calls what until ctx ends.
func every(ctx context.Context, d time.Duration, what func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			what()
		}
	}
}

func (f *farViewer) reportArrivals() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.came.BuildFeedbackPacket() {
		f.report(p)
	}
}

// encode makes 15 pictures a second at the rate that the path carries, at most so many bit/s,
// and a key frame every 1.2 s, as openh264 does with noise.
func (f *farViewer) encode(most int, length time.Duration) {
	const rate = 15
	for n := range int(length.Seconds() * rate) {
		bps := int(f.bitrate.Load())
		if bps == 0 {
			bps = most
		}
		size, key := int(float64(bps)/8/rate*(0.8+0.4*f.noise.Float64())), n%(rate*6/5) == 0
		select {
		case <-f.key:
			key = true
		default:
		}
		if key {
			size *= 3
		}
		unit := &media.AccessUnit{PTS: media.Now(), Key: key, Data: receivetest.AnnexB(receivetest.NAL(1, size))}
		if key {
			unit.Data = receivetest.AnnexB(receivetest.NAL(7, 12), receivetest.NAL(8, 6), receivetest.NAL(5, size))
		}
		f.v.tracks[0].cursor.Buffer().AppendUnit(unit)
		time.Sleep(time.Second / rate)
	}
}

// watch plays for some time.
func (f *farViewer) watch(most int, length time.Duration) {
	factory, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20*time.Millisecond), nack.GeneratorMaxNacksPerPacket(10))
	must(f.t, err)
	asks, err := factory.NewInterceptor("")
	must(f.t, err)
	asks.BindRTCPWriter(interceptor.RTCPWriterFunc(func(l []rtcp.Packet, _ interceptor.Attributes) (int, error) {
		for _, p := range l {
			f.report(p)
		}
		return 0, nil
	}))
	f.asker = asks.BindRemoteStream(&interceptor.StreamInfo{SSRC: 1, RTCPFeedback: []interceptor.RTCPFeedback{{Type: "nack"}}},
		interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(b, f.header), a, nil
		}))
	steering, began := newSteering(Config{}, most), time.Now()
	f.v.changed = func() { // on the viewer's goroutine, as steer is called
		now := time.Now()
		f.bitrate.Store(int64(steering.next(now, []int{f.v.counters.path.Load().wish(0, now.Sub(began))})))
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	var sender, receiver sync.WaitGroup
	sender.Go(func() { _ = f.v.run(ctx) })
	sender.Go(func() { every(ctx, 50*time.Millisecond, f.reportArrivals) })
	sender.Go(func() {
		every(ctx, time.Second, func() { f.v.queue(report{at: media.Now(), trip: 2*f.link.delay + f.link.jitter}) })
	})
	receiver.Go(f.receive)
	f.encode(most, length)
	time.Sleep(time.Second)
	cancel()
	sender.Wait()
	close(f.link.way)
	receiver.Wait()
	must(f.t, asks.Close())
}

// frozen returns the longest time without a picture, and the sum of all that somebody notices.
func (f *farViewer) frozen() (longest, all time.Duration) {
	for i := 1; i < len(f.shown); i++ {
		d := f.shown[i] - f.shown[i-1]
		longest = max(longest, d)
		if d > 200*time.Millisecond {
			all += d
		}
	}
	return longest, all
}

// TestPaddingIsForWhatIsNeeded plays for as long as a short look at a doorbell lasts.
func TestPaddingIsForWhatIsNeeded(t *testing.T) {
	const most = 1_500_000
	for name, c := range map[string]struct {
		near bool
		most uint64 // bytes of padding
	}{
		"the same network": {true, 0},
		"a fast path":      {false, 50_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarViewer(t, &uplink{rate: 1e9, queue: 100 * time.Millisecond, delay: time.Millisecond, random: rand.New(rand.NewPCG(1, 6))}) //nolint:gosec // a test
				f.v.isNear = func() bool { return c.near }
				f.v.full = most
				f.v.path.Need(most)
				f.watch(most, 4*time.Second)
				if n := f.v.counters.padding.Load(); n > c.most || len(f.shown) < 55 {
					t.Errorf("%d bytes of padding, want at most %d; %d pictures", n, c.most, len(f.shown))
				}
			})
		})
	}
}

// sent returns the bit/s that left in the second after a moment.
func (l *uplink) sent(from time.Duration) (bps float64) {
	for _, d := range l.log {
		if d.at >= from && d.at < from+time.Second {
			bps += 8 * float64(d.bytes)
		}
	}
	return bps
}

// TestAPathThatIsFastAgainIsUsedSoon has one that carries little for a while. The encoder
// makes as much as before within two seconds after that.
func TestAPathThatIsFastAgainIsUsedSoon(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			const most, down, up = 2_900_000, 8 * time.Second, 16 * time.Second
			f := newFarViewer(t, &uplink{rate: 12e6, other: 2e6, from: down, to: up, queue: 150 * time.Millisecond, delay: 10 * time.Millisecond,
				random: rand.New(rand.NewPCG(seed, 6))}) //nolint:gosec // a test
			f.v.full = most
			f.v.path.Need(most)
			f.watch(most, 20*time.Second)
			before, took := f.link.sent(down-time.Second), time.Duration(0)
			for took < 3*time.Second && f.link.sent(up+took) < 0.8*before {
				took += 20 * time.Millisecond
			}
			longest, all := f.frozen()
			t.Logf("%v until as much was sent as before; frozen for %v, the longest time %v", took, all, longest)
			if took > 2*time.Second || longest > 500*time.Millisecond {
				t.Errorf("%v until as much was sent as before, want at most two seconds; the longest time without a picture was %v", took, longest)
			}
		})
	}
}
