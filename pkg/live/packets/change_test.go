package packets

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// twoStreams are two encodings of the same pictures, and what one viewer gets of them.
type twoStreams struct {
	t        *testing.T
	main, to *Buffer
	cursor   *Cursor
	got      []received
	sealed   map[uint64]string // what left under each sequence number
}

// received is a packet as the receiver sees it.
type received struct {
	seq       uint64
	timestamp uint32
	last      bool
	first     bool
	payload   string // which stream, frame and packet
}

func newTwoStreams(t *testing.T) *twoStreams {
	s := &twoStreams{t: t, main: New(90000, true), sealed: map[uint64]string{}}
	s.to = s.main.Alternative()
	s.cursor = s.main.NewCursor()
	s.cursor.Join(false)
	return s
}

// add appends a frame whose packets say where they come from.
func (s *twoStreams) add(b *Buffer, pts time.Duration, key bool, n int) {
	name := "main"
	if b == s.to {
		name = "low"
	}
	if key {
		name += " key"
	}
	b.append(pts, keyed(key), func() {
		for i := range n {
			p := b.add()
			p.Payload = fmt.Appendf(p.Payload, "%s %v %d/%d", name, pts, i+1, n)
		}
	})
}

// send has the cursor give at most n packets.
func (s *twoStreams) send(n int) {
	s.t.Helper()
	var p Packet
	for range n {
		seq, ok := s.cursor.Next(&p)
		if !ok {
			return
		}
		s.got = append(s.got, received{seq, p.Timestamp, p.Last, p.first, string(p.Payload)})
		s.seal(seq, &p)
	}
}

// seal notes what leaves under a number: never two packets that differ.
func (s *twoStreams) seal(seq uint64, p *Packet) {
	s.t.Helper()
	what := fmt.Sprint(p.Timestamp, p.Marker, string(p.Payload))
	if before, twice := s.sealed[seq]; twice && before != what {
		s.t.Fatalf("number %d seals %q and %q", seq, before, what)
	}
	s.sealed[seq] = what
}

// payloads lists what came.
func (s *twoStreams) payloads() (l []string) {
	for _, r := range s.got {
		l = append(l, r.payload)
	}
	return l
}

// check checks what a decoder needs: whole frames, each later than the one before, numbers
// without a gap, and a key frame wherever the stream changes.
func (s *twoStreams) check() {
	s.t.Helper()
	for i, r := range s.got {
		if i == 0 {
			continue
		}
		b := s.got[i-1]
		switch {
		case r.seq != b.seq+1:
			s.t.Fatalf("number %d after %d", r.seq, b.seq)
		case b.last != r.first:
			s.t.Fatalf("%q after %q: a frame is cut", r.payload, b.payload)
		case r.first && int32(r.timestamp-b.timestamp) <= 0, !r.first && r.timestamp != b.timestamp:
			s.t.Fatalf("%q at %d after %q at %d", r.payload, r.timestamp, b.payload, b.timestamp)
		case r.first && r.payload[:3] != b.payload[:3] && !slices.Contains([]string{"main key", "low key "}, r.payload[:8]):
			s.t.Fatalf("%q after %q: no decoder goes on there", r.payload, b.payload)
		}
	}
}

const interval = 66 * time.Millisecond

func TestCursorChangesAtTheNextKeyFrameBetweenTwoFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := newTwoStreams(t)
		now := media.Now()
		s.add(s.main, now, true, 2)
		s.add(s.to, now-interval, false, 1) // no key frame yet
		s.cursor.ChangeTo(s.to)
		s.send(1)
		if s.cursor.Buffer() != s.main || s.cursor.Target() != s.to {
			t.Error("the cursor does not stay until it can go on")
		}
		s.add(s.to, now, true, 2) // the same picture, later
		s.send(100)
		s.add(s.to, now+interval, false, 1)
		s.add(s.main, now+interval, false, 1)
		s.send(100)
		s.check()
		want := []string{
			fmt.Sprintf("main key %v 1/2", now), fmt.Sprintf("main key %v 2/2", now),
			fmt.Sprintf("low key %v 1/2", now), fmt.Sprintf("low key %v 2/2", now), fmt.Sprintf("low %v 1/1", now+interval),
		}
		if got := s.payloads(); !slices.Equal(got, want) {
			t.Errorf("sent\n%q, want\n%q", got, want)
		}
		if s.got[4].timestamp != s.main.Timestamp(now+interval) {
			t.Error("frames after the change have another timestamp than in their stream")
		}
	})
}

func TestCursorStaysWithoutAKeyFrameThatIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, prepare := range map[string]func(s *twoStreams, now time.Duration){
			"none":             func(*twoStreams, time.Duration) {},
			"no key frame":     func(s *twoStreams, now time.Duration) { s.add(s.to, now, false, 1) },
			"an old key frame": func(s *twoStreams, now time.Duration) { s.add(s.to, now-2*maxReturn, true, 1) },
			"a recovery point": func(s *twoStreams, now time.Duration) {
				s.to.append(now, recovery, func() { s.to.add() })
			},
			"it was called off": func(s *twoStreams, now time.Duration) {
				s.add(s.to, now, true, 1)
				s.cursor.ChangeTo(s.main)
			},
		} {
			time.Sleep(time.Hour)
			s := newTwoStreams(t)
			now := media.Now()
			s.add(s.main, now, true, 1)
			s.send(1)
			s.cursor.ChangeTo(s.to)
			prepare(s, now)
			s.add(s.main, now+interval, false, 1)
			s.send(100)
			s.check()
			if len(s.got) != 2 || s.cursor.Buffer() != s.main {
				t.Errorf("%s: sent %q", name, s.payloads())
			}
		}
	})
}

func TestNothingFromBeforeAChangeIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := newTwoStreams(t)
		now := media.Now()
		s.add(s.main, now, true, 5)
		s.send(100)
		s.cursor.ChangeTo(s.to)
		s.add(s.to, now, true, 3)
		s.send(100)
		var p Packet
		for i, r := range s.got {
			seq, ok := s.cursor.Sent(uint16(r.seq), &p)
			if ok != (i >= 5) {
				t.Errorf("packet %d: can be sent again %v", i, ok)
			}
			if ok {
				s.seal(seq, &p)
			}
		}
	})
}

// A viewer goes to and fro many times, at any moment, between encoders of which one is
// slower, and asks for packets again.
func TestManyChanges(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Hour)
			r := rand.New(rand.NewPCG(seed, 1))
			s := newTwoStreams(t)
			start := media.Now()
			changes, before := 0, s.main
			var p Packet
			for i := range 2000 {
				pts := start + time.Duration(i)*interval
				lag := r.IntN(4) // frames by which the second encoder is late
				s.add(s.main, pts, i == 0 || r.IntN(15) == 0, 1+r.IntN(6))
				if i >= lag && (s.to.next == 0 || pts-time.Duration(lag)*interval > s.to.head) {
					s.add(s.to, pts-time.Duration(lag)*interval, r.IntN(10) == 0, 1+r.IntN(3))
				}
				if r.IntN(8) == 0 {
					s.cursor.ChangeTo([]*Buffer{s.main, s.to}[r.IntN(2)])
				}
				s.send(r.IntN(12))
				for range r.IntN(5) {
					if seq, ok := s.cursor.Sent(uint16(r.Uint32()), &p); ok {
						s.seal(seq, &p)
					}
				}
				for back := range uint64(20) {
					if seq, ok := s.cursor.Sent(uint16(s.cursor.Sequence()-back), &p); ok {
						s.seal(seq, &p)
					}
				}
				if s.cursor.Buffer() != before {
					changes, before = changes+1, s.cursor.Buffer()
				}
				time.Sleep(interval)
			}
			s.check()
			if changes < 20 {
				t.Errorf("only %d changes", changes)
			}
		})
	}
}
