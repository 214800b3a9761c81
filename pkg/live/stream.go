package live

import (
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/sdp"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

// stream is one encoding of the camera's pictures, for all viewers.
type stream struct {
	name    proto.Stream // high or low
	buffer  *packets.Buffer
	feed    *media.Feed[*media.AccessUnit]
	control *cameraControl
}

// streams are the streams of pictures that one viewer can be sent, and which of them it is
// sent. The viewer declares demand for that one, and for the one that it is on its way to;
// a stream for which no viewer does is not encoded. The fields that are not atomic belong to
// the goroutine that prepares the session, and after that to the viewer's.
type streams struct {
	high, low *stream       // low is nil if there is none
	wake      chan struct{} // the viewer's
	told      chan struct{} // holds a value when the state has changed

	wish    atomic.Pointer[proto.Stream]      // what the viewer has asked for
	target  atomic.Pointer[stream]            // what is sent, or will be from its next key frame on
	current atomic.Pointer[proto.StreamState] // what is sent, and why

	held     map[*stream]func() // what drops a stream that is held
	byPath   pathChoice
	skipping skipping
}

func newStreams(high, low *stream, wish proto.Stream) *streams {
	s := &streams{high: high, low: low, wake: make(chan struct{}, 1), told: make(chan struct{}, 1), held: map[*stream]func(){}}
	s.wish.Store(&wish)
	first, why := s.choose(0, 0, 0)
	s.hold(first)
	s.target.Store(first)
	s.current.Store(&proto.StreamState{Stream: first.name, Why: why})
	return s
}

// state returns what the viewer is sent, and why.
func (s *streams) state() proto.StreamState { return *s.current.Load() }

// changed returns a channel that receives a value when the state has changed.
func (s *streams) changed() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.told
}

// ask takes what the viewer wants, and returns what it is sent now. It is safe for
// concurrent use.
func (s *streams) ask(wish proto.Stream) proto.StreamState {
	s.wish.Store(&wish)
	select {
	case s.wake <- struct{}{}:
	default: // it has been woken already
	}
	return s.state()
}

// keyframe asks the encoder of the stream that the viewer is sent, or will be, for a key frame.
func (s *streams) keyframe() { s.target.Load().control.keyframe() }

// hold declares demand for a stream, and has it wake the viewer.
func (s *streams) hold(x *stream) {
	if s.held[x] == nil {
		want, notify := x.feed.Want(), x.buffer.Notify(s.wake)
		s.held[x] = func() { notify(); want() }
	}
}

// drop takes back what hold declared.
func (s *streams) drop(x *stream) {
	if undo := s.held[x]; undo != nil {
		undo()
		delete(s.held, x)
	}
}

// release takes everything back.
func (s *streams) release() {
	for x := range s.held {
		s.drop(x)
	}
}

// choose returns the stream that the viewer is to be sent, and why, when it can be sent
// carries bit/s and the first stream needs needs bit/s.
func (s *streams) choose(now time.Duration, carries, needs int) (*stream, proto.StreamWhy) {
	wish := *s.wish.Load()
	low := s.byPath.low(now, carries, needs)
	switch {
	case s.low == nil || !s.low.fits(s.high):
		return s.high, proto.StreamAlone
	case wish == proto.StreamHigh:
		return s.high, proto.StreamAsked
	case wish == proto.StreamLow:
		return s.low, proto.StreamAsked
	case low:
		return s.low, proto.StreamByPath
	}
	return s.high, proto.StreamByPath
}

// fits reports whether a stream has pictures, and a decoder that was chosen for another one
// takes them.
func (s *stream) fits(other *stream) bool {
	a, known := s.control.Format()
	b, alsoKnown := other.control.Format()
	return known && alsoKnown && sdp.Replaces(a.ProfileLevelID, b.ProfileLevelID)
}

// Each change of the stream costs a key frame, and going back too early makes pictures wait.
const (
	lowAfter  = time.Second     // how long a path must carry too little before the second stream is sent
	highAfter = 5 * time.Second // how long it must carry enough before the first one is sent again
)

// pathChoice chooses the stream by what a path carries.
type pathChoice struct {
	isLow   bool
	against time.Duration // since when the other choice would be right; 0: it wouldn't be
}

// low reports whether the second stream is the right one.
func (p *pathChoice) low(now time.Duration, carries, needs int) bool {
	if p.isLow == (carries < needs) {
		p.against = 0
		return p.isLow
	}
	if p.against == 0 {
		p.against = now
	}
	wait := lowAfter
	if p.isLow {
		wait = highAfter
	}
	if now-p.against >= wait {
		p.isLow, p.against = !p.isLow, 0
	}
	return p.isLow
}

// skipWindow is the longest time between two skips that have one cause: a path that
// carries too little. It is longer than the time between the key frames of most cameras.
const skipWindow = 20 * time.Second

// skipping notices that pictures are left out again and again.
type skipping struct {
	is    bool
	skips int // so far
	last  time.Duration
}

// update reports whether pictures are left out, after so many skips. One skip alone says
// nothing: the network may have been away for a moment, or the viewer has just joined.
func (s *skipping) update(now time.Duration, skips int) bool {
	recent := s.skips > 0 && now-s.last < skipWindow
	s.is = recent && (s.is || skips > s.skips)
	if skips > s.skips {
		s.skips, s.last = skips, now
	}
	return s.is
}

// use makes the viewer choose among streams. bound is the most that it wants to be sent, in
// bit/s; 0: there is no bound.
func (v *viewer) use(s *streams, bound int) {
	v.streams, v.bound, v.wake, v.keyframe = s, bound, s.wake, s.keyframe
}

// chooseStream sends the viewer another stream if the path or the viewer's wish calls for
// it, from that stream's next key frame on. Changes are told only when they have happened.
func (v *viewer) chooseStream(now time.Duration) {
	s := v.streams
	if s == nil {
		return
	}
	cursor := v.tracks[0].cursor
	next, why := s.choose(now, v.available(), v.needs())
	skips := s.skipping.update(now, cursor.Skips())
	if next.buffer != cursor.Target() {
		s.hold(next)
		s.target.Store(next)
		cursor.ChangeTo(next.buffer)
		if next.buffer != cursor.Buffer() {
			next.control.keyframe()
		}
	}
	if cursor.Buffer() != next.buffer {
		return // until its key frame comes, it is sent the other one
	}
	for _, x := range []*stream{s.high, s.low} {
		if x != nil && x != next {
			s.drop(x)
		}
	}
	if is := (proto.StreamState{Stream: next.name, Why: why, Skips: skips}); is != s.state() {
		s.current.Store(&is)
		select {
		case s.told <- struct{}{}:
		default: // nobody has been told of the last change
		}
	}
}

// available returns how many bit/s the viewer can be sent. A path of which nothing is known
// counts as fast, so that a viewer begins with the first stream. The viewer's bound counts
// if the camera's encoder is set to more, and so doesn't follow this viewer.
func (v *viewer) available() int {
	bps := v.path.Estimate()
	if v.near.Load() || !v.known && bps >= pathStart {
		bps = pathMost
	}
	if v.bound > 0 && v.bound < v.streams.high.control.Bitrate() {
		bps = min(bps, v.bound)
	}
	return bps
}

// needs returns how many bit/s the viewer would be sent with the first stream.
func (v *viewer) needs() int {
	const sound, overhead = 50_000, 1.05 // bit/s of Opus; the headers of pictures
	return int(float64(v.streams.high.control.Bitrate())*overhead) + sound*(len(v.tracks)-1)
}
