package packets

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

func keyed(key bool) start {
	if key {
		return idr
	}
	return no
}

// frame appends a frame of n packets that carry their index.
func frame(r *Buffer, pts time.Duration, key bool, n int) {
	r.append(pts, keyed(key), func() {
		for range n {
			p := r.add()
			p.Payload = append(p.Payload, byte(p.index), byte(p.index>>8))
		}
	})
}

// check reads packet i and compares what it must hold.
func check(t *testing.T, r *Buffer, i uint64) {
	t.Helper()
	var p Packet
	if f, _ := r.read(i, &p); f != held {
		t.Fatalf("packet %d: %v, want held", i, f)
	}
	if p.index != i || len(p.Payload) != 2 || p.Payload[0] != byte(i) || p.Payload[1] != byte(i>>8) {
		t.Fatalf("packet %d holds %d, payload %x", i, p.index, p.Payload)
	}
}

func TestBufferKeepsTheGroupOfPicturesAndTheLastSecond(t *testing.T) {
	r := New(90000, true)
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	var pts time.Duration
	var second []uint64 // first packets of frames, by time
	var times []time.Duration
	var key uint64
	for i := range 3000 {
		pts += 33 * time.Millisecond
		isKey := i%40 == 0
		if isKey {
			key = r.next
		}
		second, times = append(second, r.next), append(times, pts)
		frame(r, pts, isKey, 1+rnd.IntN(20))
		e := r.window()
		if !e.hasKey || e.key != key || e.head != pts {
			t.Fatalf("frame %d: window %+v, want key %d head %v", i, e, key, pts)
		}
		check(t, r, key)
		for j := len(times) - 1; j >= 0 && pts-times[j] < nackHistory; j-- {
			check(t, r, second[j])
		}
	}
	if n := len(r.slots); n > 2048 {
		t.Errorf("buffer grew to %d packets for groups of about 400", n)
	}
}

func TestBufferLosesTheKeyFrameOfAnEndlessGroup(t *testing.T) {
	r := New(90000, true)
	frame(r, 0, true, 10)
	for i := range 2 * MaxPackets / 10 {
		frame(r, time.Duration(i)*time.Millisecond, false, 10)
	}
	if e := r.window(); e.hasKey || len(r.slots) != MaxPackets {
		t.Errorf("key frame said to be there in %d slots", len(r.slots))
	}
	var p Packet
	if f, _ := r.read(0, &p); f != gone {
		t.Errorf("packet 0: %v, want gone", f)
	}
	if f, _ := r.read(r.next, &p); f != ahead {
		t.Errorf("packet to come: %v, want ahead", f)
	}
	frame(r, time.Hour, true, 5)
	if e := r.window(); !e.hasKey || e.key != r.next-5 {
		t.Errorf("window %+v after a new key frame", e)
	}
}

func TestBufferOfAFrameLargerThanItself(t *testing.T) {
	r := New(90000, true)
	frame(r, 0, true, MaxPackets+100)
	if e := r.window(); e.hasKey {
		t.Error("a key frame whose beginning is gone is no start")
	}
}

func TestBufferMarksFrames(t *testing.T) {
	r := New(90000, true)
	frame(r, time.Second, true, 3)
	frame(r, 2*time.Second, false, 1)
	frame(r, 3*time.Second, false, 0) // nothing but an access unit delimiter
	var p Packet
	for i, want := range []Packet{{first: true}, {}, {Last: true, Marker: true}, {first: true, Last: true, Marker: true}} {
		r.read(uint64(i), &p)
		if p.first != want.first || p.Last != want.Last || p.Marker != want.Marker {
			t.Errorf("packet %d: first %v last %v marker %v", i, p.first, p.Last, p.Marker)
		}
	}
	if d := p.Timestamp - r.Timestamp(time.Second); d != 90000 {
		t.Errorf("a second is %d ticks, want 90000", d)
	}
	if e := r.window(); e.head != 2*time.Second {
		t.Errorf("head %v: a frame without packets counted", e.head)
	}
}

func TestBufferTimestampOverWeeks(t *testing.T) {
	r := New(90000, true)
	pts := 1000*time.Hour + 123456789*time.Nanosecond
	ticks := uint64(1000*3600*90000 + 11111) // 0.123456789 s is 11111.1 ticks
	want := uint32(ticks) + r.offset
	if got := r.Timestamp(pts); got != want {
		t.Errorf("timestamp %d, want %d", got, want)
	}
}

func TestBufferUnderConcurrentReaders(t *testing.T) {
	r := New(90000, true)
	var readers sync.WaitGroup
	for range 3 {
		wake := make(chan struct{}, 1)
		cancel := r.Notify(wake)
		w := r.NewCursor()
		readers.Go(func() {
			defer cancel()
			var p Packet
			for sent := 0; sent < 2000; {
				_, ok := w.Next(&p)
				if !ok {
					<-wake
					continue
				}
				if p.index != w.at-1 || p.Payload[0] != byte(p.index) {
					t.Errorf("packet %d holds %d", w.at-1, p.index)
					return
				}
				sent++
			}
		})
	}
	stop := make(chan struct{})
	var producer sync.WaitGroup
	producer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				frame(r, time.Duration(i)*time.Millisecond, i%50 == 0, 7)
			}
		}
	})
	readers.Wait()
	close(stop)
	producer.Wait()
	if n := len(r.readers.Load()); n != 0 {
		t.Errorf("%d readers left", n)
	}
}

// TestJoinersBeginAtAKeyFrameRatherThanARecoveryPoint: browsers can't begin at the latter.
func TestJoinersBeginAtAKeyFrameRatherThanARecoveryPoint(t *testing.T) {
	const s = time.Second
	type frame struct {
		at     time.Duration
		begins start
	}
	for name, c := range map[string]struct {
		frames []frame
		want   int // the frame that joiners get first; -1: none
	}{
		"none":                       {[]frame{{0, no}, {s, no}}, -1},
		"a recovery point alone":     {[]frame{{0, no}, {s, recovery}, {2 * s, no}}, 1},
		"the newest of two":          {[]frame{{0, recovery}, {s, no}, {2 * s, recovery}}, 2},
		"a key frame before it":      {[]frame{{0, idr}, {s, recovery}, {2 * s, no}}, 0},
		"after ten seconds":          {[]frame{{0, idr}, {10 * s, recovery}}, 0},
		"a key frame that is older":  {[]frame{{0, idr}, {4 * s, recovery}, {11 * s, recovery}, {12 * s, no}}, 2},
		"a key frame after it":       {[]frame{{0, idr}, {11 * s, recovery}, {12 * s, idr}}, 2},
		"a newer key frame in order": {[]frame{{0, idr}, {s, idr}}, 1},
	} {
		r := New(90000, true)
		for i, f := range c.frames {
			r.append(f.at, f.begins, func() { r.add().Payload = []byte{byte(i)} })
		}
		if e := r.window(); e.hasKey != (c.want >= 0) || e.hasKey && e.key != uint64(c.want) {
			t.Errorf("%s: begins at %d, %v, want %d", name, e.key, e.hasKey, c.want)
		}
	}
}

func TestAClearedBufferHoldsNothing(t *testing.T) {
	r := New(90000, true)
	now := media.Now()
	frame(r, now-time.Second, true, 10)
	behind, joined := r.NewCursor(), r.NewCursor()
	joined.Join(false)
	walk(t, joined, map[uint64]uint64{})
	last := uint16(joined.seq - 1)
	behind.Join(false)
	var p Packet
	behind.Next(&p)

	r.Clear()
	for i := range r.next {
		if f, _ := r.read(i, &p); f != gone {
			t.Errorf("packet %d is %v, want gone", i, f)
		}
	}
	for _, s := range r.slots {
		if s.Payload != nil {
			t.Error("a payload is still in memory")
		}
	}
	if _, ok := joined.Sent(last, &p); ok {
		t.Error("a packet from before is sent again")
	}
	late := r.NewCursor()
	late.Join(false)
	for name, w := range map[string]*Cursor{"late": late, "behind": behind, "up to date": joined} {
		w.Settle()
		if _, ok := w.Next(&p); ok {
			t.Errorf("the %s viewer gets packet %d from before", name, p.index)
		}
	}
	first := r.next
	frame(r, now, true, 3)
	for name, w := range map[string]*Cursor{"late": late, "behind": behind, "up to date": joined} {
		if _, ok := w.Next(&p); !ok || p.index != first {
			t.Errorf("the %s viewer goes on at packet %d (%v), want %d", name, p.index, ok, first)
		}
	}
}
