package packets

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

func TestCursorJoins(t *testing.T) {
	now := media.Now()
	type state struct {
		key, head time.Duration // ago; 0: no such frame
	}
	for name, c := range map[string]struct {
		state state
		force bool
		ask   bool
		start bool // at once, with the last key frame
	}{
		"empty, no force":       {state{}, false, false, false},
		"empty, force":          {state{}, true, true, false},
		"old key, no force":     {state{time.Minute, 10 * time.Millisecond}, false, false, true},
		"old key, force":        {state{time.Minute, 10 * time.Millisecond}, true, true, false},
		"new key, force":        {state{100 * time.Millisecond, 10 * time.Millisecond}, true, false, true},
		"the past, no force":    {state{time.Minute, 3 * time.Second}, false, false, false},
		"the past, forced once": {state{time.Minute, 3 * time.Second}, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(90000, true)
			if c.state.head > 0 {
				frame(r, now-c.state.key, true, 2)
				frame(r, now-c.state.head, false, 2)
			}
			w := r.NewCursor()
			if ask := w.Join(c.force); ask != c.ask {
				t.Errorf("ask = %v, want %v", ask, c.ask)
			}
			var p Packet
			if _, ok := w.Next(&p); ok != c.start {
				t.Errorf("starts at once: %v, want %v", ok, c.start)
			}
		})
	}
}

func TestCursorSettlesWhenTheEncoderDoesNotAnswer(t *testing.T) {
	r := New(90000, true)
	now := media.Now()
	frame(r, now-time.Second, true, 2)
	frame(r, now, false, 2)
	w := r.NewCursor()
	w.Join(true)
	var p Packet
	if _, ok := w.Next(&p); ok {
		t.Fatal("began before the key frame that was asked for")
	}
	w.Settle()
	if _, ok := w.Next(&p); !ok || p.index != 0 {
		t.Errorf("after settling: %v, packet %d, want the old key frame", ok, p.index)
	}
}

// walk sends all there is and records it by full sequence number.
func walk(t *testing.T, w *Cursor, sent map[uint64]uint64) {
	t.Helper()
	var p Packet
	for {
		seq, ok := w.Next(&p)
		if !ok {
			return
		}
		if _, twice := sent[seq]; twice {
			t.Fatalf("sequence number %d twice", seq)
		}
		sent[seq] = p.index
	}
}

// A sequence number never names two packets, there is never a gap, and what is sent
// again is what was sent under that number.
func TestCursorNumbers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test
	r := New(90000, true)
	w := r.NewCursor()
	first := w.seq
	sent := map[uint64]uint64{}
	var pts time.Duration
	var p Packet
	for i := range 40000 {
		pts += 33 * time.Millisecond
		frame(r, pts, i%60 == 0, 1+rnd.IntN(12))
		if i%5000 < 1000 { // the viewer is blocked for a while
			continue
		}
		walk(t, w, sent)
		wire := uint16(w.seq - 1 - uint64(rnd.IntN(3000)))
		if seq, ok := w.Sent(wire, &p); ok {
			if seq < w.floor || uint16(seq) != wire || sent[seq] != p.index {
				t.Fatalf("%d sent again as packet %d, was %d", seq, p.index, sent[seq])
			}
		}
	}
	if w.skips < 3 {
		t.Errorf("%d skips, want some", w.skips)
	}
	if uint64(len(sent)) != w.seq-first {
		t.Errorf("%d numbers used for %d packets", w.seq-first, len(sent))
	}
	if w.seq < 1<<17 {
		t.Errorf("only %d packets: the 16 bits of the wire never wrapped", w.seq)
	}
}

func TestCursorAnswersNothingFromBeforeASkip(t *testing.T) {
	r := New(90000, true)
	w := r.NewCursor()
	sent := map[uint64]uint64{}
	frame(r, 0, true, 10)
	walk(t, w, sent)
	before := uint16(w.seq - 1)
	var p Packet
	if _, ok := w.Sent(before, &p); !ok {
		t.Fatal("a packet just sent can't be sent again")
	}
	frame(r, time.Millisecond, false, 10)
	frame(r, time.Second, true, 10) // late: the cursor goes on here
	walk(t, w, sent)
	if w.skips != 1 {
		t.Fatalf("%d skips, want 1", w.skips)
	}
	if _, ok := w.Sent(before, &p); ok {
		t.Error("answered a number from before the skip")
	}
	if _, ok := w.Sent(uint16(w.seq), &p); ok {
		t.Error("answered a number that has not been sent")
	}
}

func TestCursorBeforeItsFirstPacketAnswersNothing(t *testing.T) {
	w := New(90000, true).NewCursor()
	var p Packet
	for _, wire := range []uint16{0, uint16(w.seq), uint16(w.seq - 1), 0xffff} {
		if _, ok := w.Sent(wire, &p); ok {
			t.Errorf("answered %d", wire)
		}
	}
}

// TestCursorLeavesWhatIsTooOldToCatchUp has viewers join while the last key frame is old,
// of a camera that sends 1 Mbit/s and a key frame every 8 s.
func TestCursorLeavesWhatIsTooOldToCatchUp(t *testing.T) {
	const picture = 40 * time.Millisecond
	for name, c := range map[string]struct {
		pace  int // bit/s
		age   time.Duration
		gop   time.Duration
		start uint64 // frames after the last key frame where it begins; ^0: it waits
	}{
		"fast enough":                  {10_000_000, 4 * time.Second, 8 * time.Second, 0},
		"not fast enough":              {1_500_000, 4 * time.Second, 8 * time.Second, ^uint64(0)},
		"hardly anything is old":       {1_500_000, 400 * time.Millisecond, 8 * time.Second, 0},
		"slower than the stream":       {900_000, 2 * time.Second, 8 * time.Second, ^uint64(0)},
		"the next one comes at once":   {3_000_000, 7900 * time.Millisecond, 8 * time.Second, ^uint64(0)},
		"the next one comes too late":  {900_000, 2 * time.Second, 20 * time.Second, 0},
		"the viewer's pace is unknown": {0, 7 * time.Second, 8 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(90000, true)
			start := media.Now() - c.gop - c.age
			var key uint64
			for at := time.Duration(0); at <= c.gop+c.age; at += picture {
				isKey := at%c.gop == 0
				if isKey {
					key = r.next
				}
				r.append(start+at, keyed(isKey), func() {
					for range 5 {
						p := r.add()
						p.Payload = append(p.Payload, make([]byte, 1000)...)
					}
				})
			}
			w := r.NewCursor()
			w.Pace(c.pace)
			w.Join(false)
			var p Packet
			_, ok := w.Next(&p)
			if ok != (c.start == 0) || ok && p.index != key {
				t.Fatalf("begins at once: %v, at packet %d, want %v, %d", ok, p.index, c.start == 0, key)
			}
			if ok {
				return
			}
			w.Settle()
			if _, ok := w.Next(&p); ok {
				t.Error("went back to the old key frame")
			}
			frame(r, media.Now(), true, 2)
			if _, ok := w.Next(&p); !ok || p.index != r.next-2 {
				t.Errorf("begins at packet %d, %v, want the next key frame", p.index, ok)
			}
		})
	}
}
