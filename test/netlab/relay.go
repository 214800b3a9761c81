package netlab

import (
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	largest = 1500 // bytes of a packet
	onWay   = 8192 // packets that a pipe holds at most
)

// pipe carries packets in one direction. It never changes their order: what jitter delays
// holds up what follows, as a radio does that sends again.
type pipe struct {
	from io.Reader // a packet each Read
	to   io.Writer
	path Path
	rand *rand.Rand

	last   time.Time // when the last packet was due
	losing bool      // a burst of losses goes on
	lost   atomic.Uint64
}

type packet struct {
	due  time.Time
	data []byte
}

// run carries packets until from ends.
func (p *pipe) run() {
	way := make(chan packet, onWay)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for k := range way {
			time.Sleep(time.Until(k.due))
			_, _ = p.to.Write(k.data) // the other end may be gone already
		}
	}()
	buf := make([]byte, largest)
	for {
		n, err := p.from.Read(buf)
		if err != nil {
			break
		}
		if p.loses() {
			p.lost.Add(1)
			continue
		}
		if p.path.Delay == 0 && p.path.Jitter == 0 {
			_, _ = p.to.Write(buf[:n])
			continue
		}
		way <- packet{p.due(), append([]byte(nil), buf[:n]...)}
	}
	close(way)
	<-done
}

// due returns when a packet that comes now should leave.
func (p *pipe) due() time.Time {
	t := time.Now().Add(p.path.Delay)
	if p.path.Jitter > 0 {
		t = t.Add(time.Duration(p.rand.Int64N(int64(p.path.Jitter))))
	}
	if t.Before(p.last) {
		t = p.last
	}
	p.last = t
	return t
}

// loses decides about the next packet. Bursts follow the model of Gilbert: a burst begins so
// often, and lasts so long on average, that the share of lost packets is as wanted.
func (p *pipe) loses() bool {
	loss, burst := p.path.Loss, p.path.Burst
	if loss == 0 {
		return false
	}
	r := p.rand.Float64()
	switch {
	case burst <= 1:
		return r < loss
	case p.losing:
		p.losing = r >= 1/burst
	default:
		p.losing = r < loss/(1-loss)/burst
	}
	return p.losing
}
