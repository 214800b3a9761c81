package jitter

import (
	"bytes"
	"testing"
	"time"
)

// A packet of 20 ms (CELT) that says which it is.
func numbered(i int) []byte { return []byte{31 << 3, byte(i), byte(i >> 8), 1} }

const step20 = 20 * time.Millisecond

// drain takes until nothing waits. It gives the packets' numbers in order, -1 for
// what had to be made up in between.
func drain(q *queue) (order []int) {
	buf := make([]byte, 0, maxPayload)
	for q.waiting > 0 {
		s := q.take(buf)
		if s.packet == nil {
			if len(order) > 0 { // not the delay at the beginning
				order = append(order, -1)
			}
			continue
		}
		order = append(order, int(s.packet[1])|int(s.packet[2])<<8)
	}
	return order
}

func newQueue() *queue {
	q := new(queue)
	q.delay.reset()
	return q
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		first uint16
		ts    uint32
		came  []int // numbers of packets
		want  []int
		stats Stats
	}{
		{"in order", 5, 100, []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, Stats{}},
		{"numbers wrap", 65534, 100, []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, Stats{}},
		{"timestamps wrap", 5, 1<<32 - 1000, []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, Stats{}},
		{"reordered", 65534, 1<<32 - 1000, []int{1, 0, 3, 2}, []int{0, 1, 2, 3}, Stats{}},
		{"twice", 5, 100, []int{0, 1, 1, 0, 2}, []int{0, 1, 2}, Stats{Duplicate: 2}},
		{"a hole", 5, 100, []int{0, 1, 4}, []int{0, 1, -1, -1, 4}, Stats{Lost: 2}},
		{"a hole over the wrap", 65535, 100, []int{0, 2}, []int{0, -1, 2}, Stats{Lost: 1}},
	} {
		q := newQueue()
		for i, n := range c.came {
			q.put(c.first+uint16(n), c.ts+uint32(n*frame), numbered(n), time.Duration(i)*step20)
		}
		got := drain(q)
		c.stats.Received = uint64(len(c.came))
		if !equal(got, c.want) || q.stats != c.stats {
			t.Errorf("%s: %v, %+v; want %v, %+v", c.name, got, q.stats, c.want, c.stats)
		}
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestLate(t *testing.T) {
	q := newQueue()
	for _, n := range []int{0, 2} {
		q.put(uint16(n), uint32(n*frame), numbered(n), time.Duration(n)*step20)
	}
	drain(q)
	q.put(1, frame, numbered(1), 4*step20)
	q.put(2, 2*frame, numbered(2), 4*step20)
	if s := q.stats; q.waiting != 0 || s.Late != 1 || s.Lost != 1 || s.Duplicate != 1 {
		t.Errorf("%d wait, %+v", q.waiting, s)
	}
}

// TestDiscontinuous: numbers go on, time leaps: nobody spoke (DTX), nothing is lost.
func TestDiscontinuous(t *testing.T) {
	q := newQueue()
	q.put(0, 0, numbered(0), 0)
	q.put(1, 6*frame, numbered(1), 6*step20)
	if got := drain(q); !equal(got, []int{0, -1, -1, -1, -1, -1, 1}) || q.stats.Lost != 0 {
		t.Errorf("%v, %+v", got, q.stats)
	}
}

func TestGarbled(t *testing.T) {
	q := newQueue()
	for _, p := range [][]byte{nil, {}, {0xff}, {0xff, 0}, append(numbered(0), make([]byte, maxPayload)...)} {
		q.put(0, 0, p, 0)
	}
	if q.begun || q.waiting != 0 || q.stats.Garbled != 5 {
		t.Errorf("%d wait, %+v", q.waiting, q.stats)
	}
}

// TestBeginsAnew: a stream that restarts its numbers or timestamps is followed from
// its second packet; a single one that doesn't fit is not.
func TestBeginsAnew(t *testing.T) {
	for _, c := range []struct {
		name string
		seq  uint16
		ts   uint32
	}{
		{"both", 30000, 5_000_000},
		{"numbers", 30000, 10 * frame},
		{"timestamps", 10, 5_000_000},
		{"timestamps, backwards", 10, 1<<32 - 5_000_000},
	} {
		q := newQueue()
		for n := range 10 {
			q.put(uint16(n), uint32(n*frame), numbered(n), time.Duration(n)*step20)
		}
		q.put(c.seq, c.ts, numbered(99), 10*step20)
		if got := drain(q); len(got) != 10 || q.stats.Garbled != 1 {
			t.Errorf("%s: after a stray %v, %+v", c.name, got, q.stats)
		}
		q.put(10, 10*frame, numbered(10), 10*step20)
		drain(q)
		for n := range 5 {
			q.put(c.seq+uint16(n+1), c.ts+uint32((n+1)*frame), numbered(101+n), time.Duration(n+11)*step20)
		}
		want := []int{102, 103, 104, 105}
		if got := drain(q); !equal(got, want) {
			t.Errorf("%s: %v, want %v, %+v", c.name, got, want, q.stats)
		}
	}
}

// TestBounded: whoever sends without anyone playing fills no memory.
func TestBounded(t *testing.T) {
	q := newQueue()
	payload := bytes.Repeat([]byte{31 << 3}, 1276)
	for n := range 5000 {
		q.put(uint16(n), uint32(n*frame), payload, time.Duration(n)*step20)
		if q.waiting > maxSpan/frame+1 {
			t.Fatalf("%d packets wait", q.waiting)
		}
	}
	if q.stats.Overflow == 0 || q.end-q.ts > maxSpan {
		t.Errorf("%d samples wait, %+v", q.end-q.ts, q.stats)
	}
	for n := range 5000 { // packets of 2.5 ms that claim to be of one moment
		q.put(uint16(5000+n), 5000*frame, []byte{28 << 3, 1, 2, 3}, 5000*step20)
	}
	if q.waiting > window {
		t.Errorf("%d packets wait", q.waiting)
	}
}
