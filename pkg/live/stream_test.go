package live

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/congestion"
	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

func TestPathDecidesAfterAWhile(t *testing.T) {
	const needs = 1_000_000
	var p pathChoice
	now := time.Hour
	for i, c := range []struct {
		carries int
		lasts   time.Duration
		low     bool // at the end
	}{
		{2 * needs, time.Minute, false},
		{needs, time.Minute, false},
		{needs - 1, lowAfter - time.Millisecond, false},
		{needs, time.Millisecond, false}, // in time
		{needs - 1, lowAfter - time.Millisecond, false},
		{needs - 1, 2 * time.Millisecond, true},
		{needs, highAfter - time.Millisecond, true},
		{needs - 1, time.Millisecond, true}, // it did not last
		{needs, highAfter - time.Millisecond, true},
		{needs, 2 * time.Millisecond, false},
	} {
		var low bool
		for end := now + c.lasts; now < end; now += time.Millisecond {
			low = p.low(now, c.carries, needs)
		}
		if low != c.low {
			t.Errorf("step %d: low %v, want %v", i, low, c.low)
		}
	}
}

func testStream(name proto.Stream, b *packets.Buffer, profileLevel string) (*stream, *fakeCamera) {
	c := newCamera(true)
	c.format = nil
	if profileLevel != "" {
		c.format = &media.VideoFormat{ProfileLevelID: profileLevel, CanForceIDR: true}
	}
	return &stream{name: name, buffer: b, feed: media.NewFeed[*media.AccessUnit](), control: &cameraControl{Camera: c}}, c
}

func TestStreamIsChosenByWishPathAndDecoder(t *testing.T) {
	for name, c := range map[string]struct {
		wish    proto.Stream
		low     string // its profile and level; "none": there is no such stream
		carries int
		want    proto.StreamState
	}{
		"by the path, enough":      {"", "42c01e", math.MaxInt, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamByPath}},
		"by the path, too little":  {proto.StreamAuto, "42c01e", 1, proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamByPath}},
		"high was asked for":       {proto.StreamHigh, "42c01e", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAsked}},
		"low was asked for":        {proto.StreamLow, "42c01e", math.MaxInt, proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamAsked}},
		"there is none":            {proto.StreamLow, "none", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}},
		"there is none now":        {proto.StreamLow, "", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}},
		"of a higher level":        {proto.StreamLow, "42c020", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}},
		"of the same level":        {proto.StreamLow, "42c01f", 1, proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamAsked}},
		"of level 1b":              {proto.StreamLow, "42d00b", 1, proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamAsked}},
		"of another profile":       {proto.StreamLow, "4d401e", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}},
		"of a garbled description": {proto.StreamLow, "42c0", 1, proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}},
	} {
		t.Run(name, func(t *testing.T) {
			b := packets.New(90000, true)
			high, _ := testStream(proto.StreamHigh, b, "42c01f")
			low, _ := testStream(proto.StreamLow, b.Alternative(), c.low)
			if c.low == "none" {
				low = nil
			}
			s := newStreams(high, low, c.wish)
			defer s.release()
			s.choose(time.Second, c.carries, 1000)
			x, why := s.choose(time.Second+lowAfter, c.carries, 1000)
			if got := (proto.StreamState{Stream: x.name, Why: why}); got != c.want {
				t.Errorf("chosen %+v, want %+v", got, c.want)
			}
		})
	}
}

// switched is a camera with two streams and the viewers of it, in a bubble of synctest.
type switched struct {
	t         *testing.T
	high, low *stream
	cameras   [2]*fakeCamera
	frames    int
	done      sync.WaitGroup
	ctx       context.Context
}

func newSwitched(t *testing.T) *switched {
	b := packets.New(90000, true)
	s := &switched{t: t}
	s.high, s.cameras[0] = testStream(proto.StreamHigh, b, "42c01f")
	s.low, s.cameras[1] = testStream(proto.StreamLow, b.Alternative(), "42c01e")
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	t.Cleanup(func() {
		cancel()
		s.done.Wait()
	})
	return s
}

// view starts a viewer whose path is known to carry so many bit/s.
func (s *switched) view(carries int, wish proto.Stream) (*viewer, *wire) {
	streams := newStreams(s.high, s.low, wish)
	s.t.Cleanup(streams.release)
	w := &wire{}
	v := testViewer(w, streams.target.Load().buffer)
	v.use(streams, 0)
	v.known, v.force = true, true
	v.path = congestion.New(congestion.Config{Start: carries, Min: min(carries, pathLeast), Max: pathMost})
	v.tracks[0].path = v.path
	v.near.Store(carries == pathMost)
	s.done.Go(func() { _ = v.run(s.ctx) })
	synctest.Wait()
	return v, w
}

// run publishes pictures of both streams, which tell themselves apart by size, as long as
// they are wanted, with key frames when they are asked for.
func (s *switched) run(d time.Duration) {
	const interval = 50 * time.Millisecond
	for range d / interval {
		pts := media.Now()
		for i, x := range []*stream{s.high, s.low} {
			key := s.frames%100 == 0
			for len(s.cameras[i].asked) > 0 {
				<-s.cameras[i].asked
				key = true
			}
			if x.feed.Wanted() {
				frame(x.buffer, pts, key, 3-2*i, 1000-800*i)
			}
			time.Sleep(interval / 2)
		}
		s.frames++
	}
	synctest.Wait()
}

// isLow reports whether the frames that came last are of the second stream: of one packet.
func (w *wire) isLow() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.headers)
	return n > 1 && w.headers[n-1].Marker && w.headers[n-2].Marker
}

// whole checks that numbers and times go on, and that each frame came whole.
func (w *wire) whole(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, h := range w.headers[1:] {
		b := w.headers[i]
		if h.SequenceNumber != b.SequenceNumber+1 || b.Marker != (h.Timestamp != b.Timestamp) || int32(h.Timestamp-b.Timestamp) < 0 {
			t.Fatalf("packet %d at %d, marker %v, follows packet %d at %d, marker %v", h.SequenceNumber, h.Timestamp, h.Marker, b.SequenceNumber, b.Timestamp, b.Marker)
		}
	}
}

// The story of two viewers: what one of them can't be sent is no loss for the other.
func TestASlowViewerGetsTheSecondStreamAndTheOtherOneLosesNothing(t *testing.T) {
	both := func(t *testing.T, slow int) (fastHeaders []rtp.Header, first []byte) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Hour)
			s := newSwitched(t)
			_, w := s.view(pathMost, proto.StreamAuto)
			slowViewer, slowWire := s.view(slow, proto.StreamAuto)
			s.run(lowAfter / 2)
			if slowWire.isLow() {
				t.Error("the second stream was sent too early")
			}
			s.run(lowAfter)
			wantLow := slow < 1_500_000
			if slowWire.isLow() != wantLow || w.isLow() || s.low.feed.Wanted() != wantLow {
				t.Errorf("the slow viewer is sent the second stream: %v, the other one: %v; it is encoded: %v", slowWire.isLow(), w.isLow(), s.low.feed.Wanted())
			}
			if is := slowViewer.streams.state(); wantLow && is != (proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamByPath}) {
				t.Errorf("the status says %+v", is)
			}
			s.run(2 * time.Second)
			slowViewer.near.Store(true) // its path carries more now
			s.run(highAfter + time.Second)
			if slowWire.isLow() || s.low.feed.Wanted() {
				t.Error("the viewer is not back, or the second stream is still encoded")
			}
			w.whole(t)
			slowWire.whole(t)
			fastHeaders, first = slices.Clone(w.headers), slices.Clone(w.first)
		})
		return fastHeaders, first
	}
	alone, _ := both(t, pathMost)
	beside, _ := both(t, 300_000)
	if len(alone) != len(beside) {
		t.Errorf("the fast viewer gets %d packets beside a slow one, and %d otherwise", len(beside), len(alone))
	}
}

func TestManyChangesOfTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := newSwitched(t)
		v, w := s.view(pathMost, proto.StreamLow)
		s.run(time.Second)
		if !w.isLow() || s.high.feed.Wanted() {
			t.Errorf("begins with the second stream: %v; the first one is encoded: %v", w.isLow(), s.high.feed.Wanted())
		}
		for i := range 24 { // half a minute without a report would end it
			want := []proto.Stream{proto.StreamHigh, proto.StreamLow}[i%2]
			v.streams.ask(want)
			s.run(time.Second)
			if w.isLow() != (want == proto.StreamLow) {
				t.Fatalf("change %d: the second stream is sent: %v, asked for %s", i, w.isLow(), want)
			}
			if is := v.streams.state(); is != (proto.StreamState{Stream: want, Why: proto.StreamAsked}) {
				t.Errorf("change %d: the status says %+v", i, is)
			}
			if s.low.feed.Wanted() != (want == proto.StreamLow) || s.high.feed.Wanted() == s.low.feed.Wanted() {
				t.Errorf("change %d: encoded are high %v, low %v", i, s.high.feed.Wanted(), s.low.feed.Wanted())
			}
		}
		w.whole(t)
	})
}

// A second stream whose encoder fails is left for the first one.
func TestAStreamThatIsGoneIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := newSwitched(t)
		v, w := s.view(pathMost, proto.StreamLow)
		s.run(time.Second)
		s.cameras[1].mu.Lock()
		s.cameras[1].format = nil
		s.cameras[1].mu.Unlock()
		s.run(time.Second)
		if is := v.streams.state(); w.isLow() || is != (proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone}) {
			t.Errorf("the second stream is still sent: %v, state %+v", w.isLow(), is)
		}
		w.whole(t)
	})
}

// A camera without another stream leaves pictures out for a path that is too slow, and says so
// as long as it does.
func TestAViewerIsToldThatPicturesAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := newSwitched(t)
		s.cameras[1].format = nil
		v, w := s.view(100_000, proto.StreamAuto)
		is := func(when string, skips bool) {
			t.Helper()
			v.reported.Store(true) // half a minute without a report would end it
			if got, want := v.streams.state(), (proto.StreamState{Stream: proto.StreamHigh, Why: proto.StreamAlone, Skips: skips}); got != want {
				t.Errorf("%s: the state is %+v, want %+v", when, got, want)
			}
		}
		s.run(time.Second)
		is("at first", false)
		s.run(skipWindow)
		is("behind again and again", true)
		v.near.Store(true) // its path carries everything now
		s.run(skipWindow / 2)
		is("behind not long ago", true)
		s.run(skipWindow)
		is("no more behind", false)
		w.whole(t)
	})
}

func TestOneSkipIsNotYetSkipping(t *testing.T) {
	var s skipping
	now := time.Hour
	for i, c := range []struct {
		skips int
		later time.Duration // than the one before
		want  bool
	}{
		{0, time.Hour, false},
		{1, time.Second, false},
		{1, time.Second, false},
		{2, skipWindow, false}, // two that have nothing to do with each other
		{3, skipWindow - 1, true},
		{3, skipWindow - 1, true},
		{3, 1, false},
		{4, time.Second, false},
		{6, time.Second, true},
	} {
		now += c.later
		if got := s.update(now, c.skips); got != c.want {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
}

func TestASessionChangesItsStream(t *testing.T) {
	low := newCamera(true)
	feed := media.NewFeed[*media.AccessUnit]()
	r := newTestRig(t, DefaultConfig(), newCamera(true), func(d *Deps) { d.LowVideo, d.LowCamera = feed, low })
	r.stream(20*time.Millisecond, 10)
	feed.Subscribe(func(*media.AccessUnit) {})
	p := watch(t, r, "s", peerOptions{})
	get(t, p.video)
	if l := r.Viewers(); len(l) != 1 || l[0].Stream == nil || l[0].Stream.Stream != proto.StreamHigh {
		t.Errorf("viewers %+v, want one with the first stream", l)
	}
	for _, of := range []sessionKey{{"c", "other"}, {"another member", "s"}} {
		_, err := r.SetStream(of.client, of.session, proto.StreamLow)
		refused(t, err, proto.CodeNoSession)
	}
	if _, err := r.SetStream("c", "s", proto.StreamLow); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second stream is wanted", feed.Wanted)
	u := &media.AccessUnit{PTS: media.Now(), Key: true, Data: appendUnit(nil, true, 100)}
	feed.Publish(u)
	for {
		if is, ok := get(t, p.signals).(proto.StreamState); ok {
			if is != (proto.StreamState{Stream: proto.StreamLow, Why: proto.StreamAsked}) {
				t.Errorf("signalled %+v", is)
			}
			break
		}
	}
	r.Forget()
	if k := r.low.buffer.NewCursor(); k.Join(false) || !k.Waiting() {
		t.Error("the second stream's pictures are kept in privacy mode")
	} else if _, ok := k.Next(new(packets.Packet)); ok {
		t.Error("the second stream's pictures are kept in privacy mode")
	}
}
