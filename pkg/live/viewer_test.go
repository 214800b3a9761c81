package live

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
)

// wire is where a track's packets go instead of to SRTP.
type wire struct {
	mu      sync.Mutex
	headers []rtp.Header
	first   []byte        // of each payload
	gate    chan struct{} // nil, or blocks every write until it is closed
	entered chan struct{} // told when a write meets the gate
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.gate != nil {
		select {
		case w.entered <- struct{}{}:
		default:
		}
		<-w.gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headers = append(w.headers, h.Clone())
	w.first = append(w.first, payload[0])
	return len(payload), nil
}

func (w *wire) Write([]byte) (int, error) { return 0, nil }

func testViewer(w webrtc.TrackLocalWriter, b *packets.Buffer) *viewer {
	v := newViewer(&counters{}, func() {}, false)
	v.writeRTCP = func([]rtcp.Packet) error { return nil }
	v.tracks = []*trackSender{newTrackSender(&track{kind: webrtc.RTPCodecTypeVideo, writer: w, ssrc: 1, header: rtp.Header{Version: 2, SSRC: 1}}, b)}
	return v
}

// frame appends a frame of n packets of size bytes.
func frame(b *packets.Buffer, pts time.Duration, key bool, n, size int) {
	u := &media.AccessUnit{PTS: pts, Key: key}
	for range n {
		u.Data = append(append(u.Data, 0, 0, 0, 1, 0x41), bytes.Repeat([]byte{0xab}, size-1)...)
	}
	b.AppendUnit(u)
}

func TestAStalledViewerHoldsNobodyUpAndGoesOnAtAKeyFrame(t *testing.T) {
	r := packets.New(90000, true)
	good := &wire{}
	bad := &wire{gate: make(chan struct{}), entered: make(chan struct{}, 1)}
	start := media.Now()
	frame(r, start, true, 3, 2)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	a, b := testViewer(good, r), testViewer(bad, r)
	for _, v := range []*viewer{a, b} {
		done.Go(func() { _ = v.run(ctx) })
	}
	get(t, bad.entered)
	const frames = 300
	for i := 1; i < frames; i++ {
		frame(r, start+time.Duration(i)*33*time.Millisecond, i%60 == 0, 3, 2)
		eventually(t, "the good viewer has the frame", func() bool { return a.counters.packets.Load() == uint64(3*(i+1)) })
	}
	close(bad.gate)
	// The packet with which it was blocked, then from the last key frame on.
	eventually(t, "the stalled viewer is there again", func() bool { return b.counters.packets.Load() == 1+3*60 })
	cancel()
	done.Wait()
	if a.counters.skips.Load() != 0 || b.counters.skips.Load() != 1 {
		t.Errorf("skips %d and %d, want 0 and 1", a.counters.skips.Load(), b.counters.skips.Load())
	}
	if last, want := bad.headers[len(bad.headers)-1].Timestamp, good.headers[len(good.headers)-1].Timestamp; last != want {
		t.Errorf("the stalled viewer ends at %d, want %d", last, want)
	}
	for i, h := range bad.headers[1:] {
		if h.SequenceNumber != bad.headers[i].SequenceNumber+1 {
			t.Fatalf("gap in sequence numbers after packet %d", i)
		}
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s", patience, what)
		}
	}
}

func TestResendIsBounded(t *testing.T) {
	r := packets.New(90000, true)
	w := &wire{}
	v := testViewer(w, r)
	frame(r, media.Now(), true, 10, 2)
	v.tracks[0].cursor.Join(false)
	v.drain(t.Context())
	sent := w.headers
	for range 2 * resendRate {
		v.resend(t.Context(), v.tracks[0], sent[4].SequenceNumber)
	}
	if got := len(w.headers) - len(sent); got != resendRate {
		t.Errorf("%d packets sent again at once, want %d", got, resendRate)
	}
	for _, h := range w.headers[len(sent):] {
		if h.Timestamp != sent[4].Timestamp || h.SequenceNumber != sent[4].SequenceNumber || h.Marker != sent[4].Marker {
			t.Fatalf("header %+v, was %+v", h, sent[4])
		}
	}
	must(t, v.second())
	v.resend(t.Context(), v.tracks[0], sent[4].SequenceNumber)
	if got := len(w.headers) - len(sent); got != resendRate+1 {
		t.Errorf("nothing is sent again after a second")
	}
}

func TestNACKsBeyondTheQueueAreLeft(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	var pairs []rtcp.NackPair
	for i := range 1000 {
		pairs = append(pairs, rtcp.NackPair{PacketID: uint16(17 * i), LostPackets: 0xffff})
	}
	v.handle(&rtcp.TransportLayerNack{MediaSSRC: 2, Nacks: pairs}, v.tracks[0])
	if len(v.nacks) != 0 {
		t.Error("took a NACK for another stream")
	}
	v.handle(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: pairs}, v.tracks[0])
	if len(v.nacks) != nackQueue {
		t.Errorf("%d wait, want %d", len(v.nacks), nackQueue)
	}
}

func TestSilenceCountsOnlyWhileMediaIsSent(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	frame(v.tracks[0].buffer, media.Now(), true, 1, 2)
	v.drain(t.Context()) // it has a picture to start with
	seconds := func(n, sent int, heard bool) (silent bool) {
		for range n {
			v.sent = sent
			v.reported.Store(heard)
			silent = v.second() != nil
		}
		return silent
	}
	if seconds(100, 0, false) {
		t.Error("silent though nothing was sent")
	}
	if seconds(silentSeconds-1, 5, false) {
		t.Error("silent too early")
	}
	if seconds(1, 5, true) || seconds(silentSeconds-1, 5, false) {
		t.Error("a report did not count")
	}
	if !seconds(1, 5, false) {
		t.Errorf("not silent after %d seconds", silentSeconds)
	}
}

func TestThePastIsSentWithPauses(t *testing.T) {
	r := packets.New(90000, true)
	w := &wire{}
	v := testViewer(w, r)
	now := media.Now()
	for i := range 30 {
		frame(r, now-time.Duration(30-i)*time.Millisecond, i == 0, 4, 1000)
	}
	v.tracks[0].cursor.Join(false)
	v.drain(t.Context())
	if got := 1000 * len(w.headers); got < burstBytes || got > burstBytes+1000 {
		t.Errorf("%d bytes before the first pause, want about %d", got, burstBytes)
	}
	for range 30 {
		v.burst = 0
		v.drain(t.Context())
	}
	if len(w.headers) != 120 || v.burst != 0 {
		t.Errorf("%d packets sent, burst %d: it never caught up", len(w.headers), v.burst)
	}
}

func TestALargeKeyFrameIsSentWithPauses(t *testing.T) {
	r := packets.New(90000, true)
	v := testViewer(&wire{}, r)
	frame(r, media.Now(), true, 100, 1000)
	v.tracks[0].cursor.Join(false)
	pauses := 0
	for v.drain(t.Context()); v.burst > 0 && pauses < 10; v.drain(t.Context()) {
		if v.burst > burstBytes+1000 {
			t.Errorf("%d bytes at once", v.burst)
		}
		pauses++
		v.burst = 0
	}
	if sent := v.counters.bytes.Load(); sent != 100_000 || pauses != 3 {
		t.Errorf("%d bytes with %d pauses, want all with 3", sent, pauses)
	}
}

func TestFrameToAViewerAllocatesNothing(t *testing.T) {
	r := packets.New(90000, true)
	v := testViewer(discardWire{}, r)
	v.tracks[0].cursor.Join(false)
	unit := &media.AccessUnit{Data: appendUnit(nil, true, 20000), Key: true}
	one := func() {
		unit.PTS = media.Now()
		r.AppendUnit(unit)
		v.drain(t.Context())
		v.burst = 0
	}
	for range 5000 { // until every slot has its buffer
		one()
	}
	if n := testing.AllocsPerRun(500, one); n != 0 {
		t.Errorf("%v allocations per frame, want 0", n)
	}
}

type discardWire struct{}

func (discardWire) WriteRTP(*rtp.Header, []byte) (int, error) { return 0, nil }
func (discardWire) Write([]byte) (int, error)                 { return 0, nil }

func TestKeyframeRequestsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(true)
		s := &cameraControl{Camera: c}
		for range 100 { // one second of requests
			s.keyframe()
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(c.asked); n != 2 {
			t.Errorf("%d requests in a second, want 2", n)
		}
	})
}

func TestFormatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(true)
		known := c.format
		c.format = nil
		s := &cameraControl{Camera: c}
		if _, err := s.format(t.Context()); err == nil {
			t.Error("a format though the camera knows none")
		}
		go func() {
			time.Sleep(formatWait / 2)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.format = known
		}()
		if f, err := s.format(t.Context()); err != nil || f != *known {
			t.Errorf("got %+v, %v", f, err)
		}
	})
}
