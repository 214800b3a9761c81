package netlab

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// numbers is what a pipe reads: packets with a number each, so often, until there are count.
type numbers struct {
	count, next int
	every       time.Duration
}

func (n *numbers) Read(b []byte) (int, error) {
	if n.next == n.count {
		return 0, io.EOF
	}
	time.Sleep(n.every)
	binary.BigEndian.PutUint64(b, uint64(n.next))
	n.next++
	return 8, nil
}

// arrivals are the packets that came, and when.
type arrivals struct {
	began   time.Time
	numbers []int
	times   []time.Duration
}

func (a *arrivals) Write(b []byte) (int, error) {
	if len(b) != 8 {
		return 0, errors.New("a packet of another size")
	}
	a.numbers = append(a.numbers, int(binary.BigEndian.Uint64(b)))
	a.times = append(a.times, time.Since(a.began))
	return len(b), nil
}

// carry lets packets pass a path.
func carry(path Path, count int, every time.Duration) (*pipe, *arrivals) {
	to := &arrivals{began: time.Now()}
	p := &pipe{from: &numbers{count: count, every: every}, to: to, path: path, rand: rand.New(rand.NewPCG(path.Seed, 0))}
	p.run()
	return p, to
}

func TestDelay(t *testing.T) {
	const every = time.Millisecond
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			_, to := carry(Path{Delay: delay}, 100, every)
			if len(to.numbers) != 100 {
				t.Fatalf("%d of 100 packets came", len(to.numbers))
			}
			for i, n := range to.numbers {
				if n != i || to.times[i] != time.Duration(i+1)*every+delay {
					t.Fatalf("packet %d comes as number %d after %v", n, i, to.times[i])
				}
			}
		})
	}
}

func TestJitterDelaysAndKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, delay, jitter = time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond
		_, to := carry(Path{Delay: delay, Jitter: jitter}, 1000, every)
		most := time.Duration(0)
		for i, n := range to.numbers {
			took := to.times[i] - time.Duration(n+1)*every
			if n != i || took < delay || took > delay+jitter {
				t.Fatalf("packet %d comes as number %d, %v late", n, i, took)
			}
			most = max(most, took)
		}
		if len(to.numbers) != 1000 || most < delay+jitter/2 {
			t.Errorf("%d packets, at most %v late", len(to.numbers), most)
		}
	})
}

func TestLoss(t *testing.T) {
	const count = 200_000
	for _, path := range []Path{{Loss: 0.02, Seed: 1}, {Loss: 0.05, Seed: 2}, {Loss: 0.05, Burst: 8, Seed: 3}} {
		p, to := carry(path, count, 0)
		if lost := p.lost.Load(); int(lost)+len(to.numbers) != count || math.Abs(float64(lost)/count/path.Loss-1) > 0.1 {
			t.Errorf("%+v: %d packets lost, %d came, of %d", path, lost, len(to.numbers), count)
		}
		bursts, next := 0, 0
		for _, n := range to.numbers {
			if n != next {
				bursts++
			}
			next = n + 1
		}
		mean := float64(p.lost.Load()) / float64(bursts)
		if want := max(path.Burst, 1/(1-path.Loss)); math.Abs(mean/want-1) > 0.1 {
			t.Errorf("%+v: %.2f packets are lost in a row", path, mean)
		}
		_, again := carry(path, count, 0)
		if len(again.numbers) != len(to.numbers) || again.numbers[count/2] != to.numbers[count/2] {
			t.Errorf("%+v: the same seed loses others", path)
		}
	}
}
