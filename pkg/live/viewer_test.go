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
	packets [][]byte      // as SRTP would seal them
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
	b, err := h.Marshal()
	w.packets = append(w.packets, append(b, payload...))
	return len(payload), err
}

func (w *wire) Write([]byte) (int, error) { return 0, nil }

func testViewer(w webrtc.TrackLocalWriter, b *packets.Buffer) *viewer {
	v := newViewer(&counters{}, func() {}, false)
	v.writeRTCP = func([]rtcp.Packet) error { return nil }
	v.tracks = []*trackSender{newTrackSender(&track{kind: webrtc.RTPCodecTypeVideo, writer: w, ssrc: 1, header: rtp.Header{Version: 2, SSRC: 1}}, v.path, b)}
	return v
}

// numbered lets a test viewer's track carry transport-wide numbers, and offers RTX.
func (v *viewer) numbered(t testing.TB, rtx bool) {
	t.Helper()
	track := v.tracks[0].track
	track.number = make([]byte, 2)
	must(t, track.header.SetExtension(3, track.number))
	if rtx {
		again := track.header
		again.SSRC, again.PayloadType = 2, 97
		track.again = &again
	}
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
	now := media.Now()
	frame(r, now, true, 10, 1000)
	v.tracks[0].cursor.Join(false)
	v.turn(t.Context(), now)
	sent := w.headers
	resend := func(n int) {
		for range n {
			now += 10 * time.Millisecond
			v.nacks <- sent[4].SequenceNumber
			v.turn(t.Context(), now)
		}
	}
	each := v.tracks[0].size(1000)
	most := pathStart/8/each + 1
	resend(2 * most)
	if got := len(w.headers) - len(sent); got != most {
		t.Errorf("%d packets sent again in a second, want %d: what the path carries", got, most)
	}
	for _, h := range w.headers[len(sent):] {
		if h.Timestamp != sent[4].Timestamp || h.SequenceNumber != sent[4].SequenceNumber || h.Marker != sent[4].Marker {
			t.Fatalf("header %+v, was %+v", h, sent[4])
		}
	}
	must(t, v.second())
	resend(1)
	if got := len(w.headers) - len(sent); got != most+1 {
		t.Errorf("nothing is sent again after a second")
	}
}

func TestNothingIsSentAgainTwiceInARoundTrip(t *testing.T) {
	r := packets.New(90000, true)
	w := &wire{}
	v := testViewer(w, r)
	now := media.Now()
	frame(r, now, true, 3, 100)
	v.tracks[0].cursor.Join(false)
	v.turn(t.Context(), now)
	const trip = 80 * time.Millisecond
	v.path.Reception(now, 0, trip)
	seq := w.headers[1].SequenceNumber
	for i, c := range []struct {
		after time.Duration
		again bool
	}{{0, true}, {20 * time.Millisecond, false}, {trip - 21*time.Millisecond, false}, {time.Millisecond, true}, {time.Millisecond, false}} {
		now += c.after
		before := len(w.headers)
		v.nacks <- seq
		v.turn(t.Context(), now)
		if again := len(w.headers) > before; again != c.again {
			t.Errorf("request %d: sent again: %v, want %v", i, again, c.again)
		}
	}
}

func TestNACKsBeyondTheQueueAreLeft(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	var pairs []rtcp.NackPair
	for i := range 1000 {
		pairs = append(pairs, rtcp.NackPair{PacketID: uint16(17 * i), LostPackets: 0xffff})
	}
	v.handle(2, &rtcp.TransportLayerNack{MediaSSRC: 2, Nacks: pairs})
	if len(v.nacks) != 0 {
		t.Error("took a NACK for another stream")
	}
	v.handle(1, &rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: pairs})
	if len(v.nacks) != nackQueue {
		t.Errorf("%d wait, want %d", len(v.nacks), nackQueue)
	}
}

func TestSilenceCountsOnlyWhileMediaIsSent(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	frame(v.tracks[0].cursor.Buffer(), media.Now(), true, 1, 2)
	v.turn(t.Context(), media.Now()) // it has a picture to start with
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

// TestHowLongPicturesWait is the number that people see as the queueing delay.
func TestHowLongPicturesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := packets.New(90000, true)
		v := testViewer(discardWire{}, b)
		v.numbered(t, true)
		v.tracks[0].cursor.Join(false)
		wait := func(want time.Duration) {
			t.Helper()
			if got := v.publish().Queue; got != want {
				t.Errorf("pictures waited %v, want %v", got, want)
			}
		}
		turn := func(after time.Duration) {
			time.Sleep(after)
			v.turn(t.Context(), media.Now())
		}
		v.began = media.Now()
		frame(b, media.Now(), true, 2, 1000)
		turn(0)
		wait(0) // it left at once
		turn(10 * time.Millisecond)
		if v.counters.padding.Load() == 0 {
			t.Fatal("no padding left, which is to make no difference")
		}
		wait(0)
		frame(b, media.Now(), false, 2, 1000)
		turn(80 * time.Millisecond)
		turn(10 * time.Millisecond)
		wait(80 * time.Millisecond)
		wait(0) // in the next second no picture waited

		frame(b, media.Now(), false, 1, 1000)
		v.began = media.Now() + time.Second
		turn(time.Second + 5*time.Millisecond)
		wait(5 * time.Millisecond) // what was captured before the viewer came did not wait for it
	})
}

func TestFrameToAViewerAllocatesNothing(t *testing.T) {
	r := packets.New(90000, true)
	v := testViewer(discardWire{}, r)
	v.numbered(t, true)
	v.near.Store(true)
	v.tracks[0].cursor.Join(false)
	unit := &media.AccessUnit{Data: appendUnit(nil, true, 20000), Key: true}
	now := media.Now()
	one := func() {
		unit.PTS = media.Now()
		r.AppendUnit(unit)
		now += 33 * time.Millisecond
		v.nacks <- uint16(v.tracks[0].repeat.seq) // a stray one now and then hits
		v.turn(t.Context(), now)
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
		for range 99 { // nearly one second of requests
			s.keyframe()
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(c.asked); n != 2 {
			t.Errorf("%d requests in a second, want 2", n)
		}
		time.Sleep(time.Second)
		if n := len(c.asked); n != 3 {
			t.Errorf("%d requests, want 3: the last one waits", n)
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
