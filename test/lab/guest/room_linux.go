package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

const (
	// queued is how many periods wait to be played, so that a busy machine may keep the
	// room from running for a while: 100 ms.
	queued = 5
	// drop is the request that stops a card, SNDRV_PCM_IOCTL_DROP.
	drop = 0x4143
	// gainBits are the binary places of a gain: an emulated processor is far faster
	// with integers.
	gainBits = 12
)

// hall is a room that is running. Both its ends are of one loopback, and so of one
// clock: the delay between them stays what it was at the start.
type hall struct {
	in, out *os.File
	at      []int
	gain    []int   // times 2^gainBits
	past    []int16 // what was heard, the last period at its end
	sum     []int
	bytes   []byte // a period

	say    <-chan saying
	saying saying
}

// saying is what somebody says, and what is left of it.
type saying struct {
	samples []int16
	periods int
	over    chan<- struct{} // closed then
}

// Room begins to be a room, for as long as the guest lives.
func (g *Guest) Room(r agent.Room, _ *agent.Empty) error {
	if len(r.At) == 0 || len(r.At) != len(r.Gain) {
		return errors.New("a room needs as many places as gains")
	}
	in, err := os.OpenFile(r.Hears, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(r.Plays, os.O_WRONLY, 0)
	if err != nil {
		in.Close()
		return err
	}
	say := make(chan saying)
	h := newHall(in, out, r)
	h.say = say
	if err := h.begin(); err != nil {
		h.close()
		return fmt.Errorf("make a room of %s and %s: %w", r.Hears, r.Plays, err)
	}
	g.mu.Lock()
	g.say = say
	g.mu.Unlock()
	go func() {
		defer h.close()
		fmt.Println("lab: the room ends:", h.run())
	}()
	return nil
}

// Say has somebody in the room say something, after what is being said, and returns when
// that is over.
func (g *Guest) Say(s agent.Speech, _ *agent.Empty) error {
	g.mu.Lock()
	say := g.say
	g.mu.Unlock()
	if say == nil {
		return errors.New("there is no room")
	}
	over := make(chan struct{})
	say <- saying{s.Samples, int(s.Lasting / (time.Second * period / rate)), over}
	<-over
	return nil
}

func newHall(in, out *os.File, r agent.Room) *hall {
	h := &hall{
		in: in, out: out, at: r.At,
		past: make([]int16, slices.Max(r.At)+period), sum: make([]int, period), bytes: make([]byte, 2*period),
	}
	for _, g := range r.Gain {
		h.gain = append(h.gain, int(g*(1<<gainBits)))
	}
	return h
}

func (h *hall) begin() error {
	if err := configure(h.in.Fd(), patience); err != nil {
		return err
	}
	if err := configure(h.out.Fd(), 2*queued*period); err != nil {
		return err
	}
	return h.prime()
}

// prime starts both cards, with silence to play first.
func (h *hall) prime() error {
	for range queued {
		if _, err := unix.Write(int(h.out.Fd()), make([]byte, 2*period)); err != nil {
			return err
		}
	}
	return nil // the first read starts the other
}

// run passes on period after period. When one of the cards has stopped, because the
// room was too late, both begin anew: the delay between them stays.
func (h *hall) run() error {
	for {
		err := h.pass()
		if errors.Is(err, unix.EPIPE) {
			fmt.Println("lab: the room was late")
			err = h.again()
		}
		if err != nil {
			return err
		}
	}
}

func (h *hall) again() error {
	for _, f := range []*os.File{h.in, h.out} {
		if err := errors.Join(ioctl(f.Fd(), drop, nil), ioctl(f.Fd(), prepare, nil)); err != nil {
			return err
		}
	}
	return h.prime()
}

// pass waits for a period, and plays what the room makes of it.
func (h *hall) pass() error {
	if err := whole(unix.Read, h.in, h.bytes); err != nil {
		return err
	}
	h.listen()
	h.reflect(h.bytes)
	return whole(unix.Write, h.out, h.bytes)
}

// listen lets somebody say something, or go on.
func (h *hall) listen() {
	switch {
	case h.saying.periods > 1:
		h.saying.periods--
		return
	case h.saying.over != nil:
		close(h.saying.over)
		h.saying = saying{}
	}
	select {
	case h.saying = <-h.say:
	default:
	}
}

// reflect turns a period of what is heard into one of what is played: its echo, and
// what is said.
func (h *hall) reflect(b []byte) {
	copy(h.past, h.past[period:])
	last := h.past[len(h.past)-period:]
	for i := range last {
		last[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	clear(h.sum)
	for i, at := range h.at {
		g, from := h.gain[i], h.past[len(h.past)-period-at:][:len(h.sum)]
		for j, s := range from {
			h.sum[j] += g * int(s)
		}
	}
	near := h.saying.samples[:min(len(h.sum), len(h.saying.samples))]
	for i, s := range near {
		h.sum[i] += int(s) << gainBits
	}
	h.saying.samples = h.saying.samples[len(near):]
	for i, s := range h.sum {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(int16(min(max(s>>gainBits, -32768), 32767))))
	}
}

// whole reads or writes all of b.
func whole(do func(int, []byte) (int, error), f *os.File, b []byte) error {
	for len(b) > 0 {
		n, err := do(int(f.Fd()), b)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

func (h *hall) close() {
	h.in.Close()
	h.out.Close()
}
