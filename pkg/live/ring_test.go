package live

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// frame appends a frame of n packets that carry their index.
func frame(r *ring, pts time.Duration, key bool, n int) {
	r.append(pts, keyed(key), func() {
		for range n {
			p := r.add()
			p.payload = append(p.payload, byte(p.index), byte(p.index>>8))
		}
	})
}

// check reads packet i and compares what it must hold.
func check(t *testing.T, r *ring, i uint64) {
	t.Helper()
	var p packet
	if f, _ := r.read(i, &p); f != held {
		t.Fatalf("packet %d: %v, want held", i, f)
	}
	if p.index != i || len(p.payload) != 2 || p.payload[0] != byte(i) || p.payload[1] != byte(i>>8) {
		t.Fatalf("packet %d holds %d, payload %x", i, p.index, p.payload)
	}
}

func TestRingKeepsTheGroupOfPicturesAndTheLastSecond(t *testing.T) {
	r := newRing(90000, true)
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
		e := r.stand()
		if !e.hasKey || e.key != key || e.head != pts {
			t.Fatalf("frame %d: extent %+v, want key %d head %v", i, e, key, pts)
		}
		check(t, r, key)
		for j := len(times) - 1; j >= 0 && pts-times[j] < nackHistory; j-- {
			check(t, r, second[j])
		}
	}
	if n := len(r.slots); n > 2048 {
		t.Errorf("ring grew to %d packets for groups of about 400", n)
	}
}

func TestRingLosesTheKeyFrameOfAnEndlessGroup(t *testing.T) {
	r := newRing(90000, true)
	frame(r, 0, true, 10)
	for i := range 2 * maxPackets / 10 {
		frame(r, time.Duration(i)*time.Millisecond, false, 10)
	}
	if e := r.stand(); e.hasKey || len(r.slots) != maxPackets {
		t.Errorf("key frame said to be there in %d slots", len(r.slots))
	}
	var p packet
	if f, _ := r.read(0, &p); f != gone {
		t.Errorf("packet 0: %v, want gone", f)
	}
	if f, _ := r.read(r.next, &p); f != ahead {
		t.Errorf("packet to come: %v, want ahead", f)
	}
	frame(r, time.Hour, true, 5)
	if e := r.stand(); !e.hasKey || e.key != r.next-5 {
		t.Errorf("extent %+v after a new key frame", e)
	}
}

func TestRingOfAFrameLargerThanItself(t *testing.T) {
	r := newRing(90000, true)
	frame(r, 0, true, maxPackets+100)
	if e := r.stand(); e.hasKey {
		t.Error("a key frame whose beginning is gone is no start")
	}
}

func TestRingMarksFrames(t *testing.T) {
	r := newRing(90000, true)
	frame(r, time.Second, true, 3)
	frame(r, 2*time.Second, false, 1)
	frame(r, 3*time.Second, false, 0) // nothing but an access unit delimiter
	var p packet
	for i, want := range []packet{{first: true}, {}, {last: true, marker: true}, {first: true, last: true, marker: true}} {
		r.read(uint64(i), &p)
		if p.first != want.first || p.last != want.last || p.marker != want.marker {
			t.Errorf("packet %d: first %v last %v marker %v", i, p.first, p.last, p.marker)
		}
	}
	if d := p.timestamp - r.timestamp(time.Second); d != 90000 {
		t.Errorf("a second is %d ticks, want 90000", d)
	}
	if e := r.stand(); e.head != 2*time.Second {
		t.Errorf("head %v: a frame without packets counted", e.head)
	}
}

func TestRingTimestampOverWeeks(t *testing.T) {
	r := newRing(90000, true)
	pts := 1000*time.Hour + 123456789*time.Nanosecond
	ticks := uint64(1000*3600*90000 + 11111) // 0.123456789 s is 11111.1 ticks
	want := uint32(ticks) + r.offset
	if got := r.timestamp(pts); got != want {
		t.Errorf("timestamp %d, want %d", got, want)
	}
}

func TestRingUnderConcurrentReaders(t *testing.T) {
	r := newRing(90000, true)
	var readers sync.WaitGroup
	for range 3 {
		wake := make(chan struct{}, 1)
		cancel := r.watch(wake)
		w := newWalker(r)
		readers.Go(func() {
			defer cancel()
			var p packet
			for sent := 0; sent < 2000; {
				ok, _ := w.pull(&p)
				if !ok {
					<-wake
					continue
				}
				if p.index != w.at || p.payload[0] != byte(p.index) {
					t.Errorf("packet %d holds %d", w.at, p.index)
					return
				}
				w.advance()
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
	if n := len(*r.watchers.Load()); n != 0 {
		t.Errorf("%d watchers left", n)
	}
}
