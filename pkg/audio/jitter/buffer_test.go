package jitter

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// tone gives packets of 20 ms of a 500 Hz tone (CELT, by libopus). They may be
// repeated: 20 ms hold ten whole periods.
func tone(t testing.TB) (packets [][]byte) {
	t.Helper()
	f, err := os.Open("../opus/testdata/packets.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "= "); ok {
			inside = strings.HasPrefix(name, "celt-fb-20 ")
		} else if inside {
			p, err := base64.StdEncoding.DecodeString(lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			packets = append(packets, p)
		}
	}
	return packets[5:15]
}

// player feeds a buffer packet by packet at an even pace.
type player struct {
	b       *Buffer
	packets [][]byte
	seq     uint16
	ts      uint32
	now     time.Duration
	heard   []int16
}

func newPlayer(t testing.TB) *player {
	return &player{b: New(), packets: tone(t), seq: 65500, ts: 1<<32 - 5000}
}

// tick lets 20 ms pass; a packet that is sent may get lost.
func (p *player) tick(sends, arrives bool) (voiced bool) {
	if sends {
		if arrives {
			p.b.Put(p.seq, p.ts, p.packets[int(p.seq)%len(p.packets)], p.now)
		}
		p.seq++
	}
	p.ts += frame
	p.now += 20 * time.Millisecond
	out := make([]int16, frame)
	voiced = p.b.Get(out)
	p.heard = append(p.heard, out...)
	return voiced
}

func (p *player) ticks(n int) {
	for range n {
		p.tick(true, true)
	}
}

// steepest returns the greatest step between two samples. The tone's own is 536.
func steepest(samples []int16) (most int) {
	for i := 1; i < len(samples); i++ {
		d := int(samples[i]) - int(samples[i-1])
		most = max(most, d, -d)
	}
	return most
}

const noClick = 1100

// TestLossDoesNotClick: one packet lost here and there, then five at once, then
// many; the tone goes on through the short ones and fades in the long ones.
func TestLossDoesNotClick(t *testing.T) {
	p := newPlayer(t)
	p.ticks(20)
	before := len(p.heard)
	for i := range 60 {
		p.tick(true, i%6 != 0)
	}
	if got := audiotest.Purity(p.heard[before:], 500); got < 0.9 {
		t.Errorf("with every sixth packet lost %.3f of the power is the tone's, want 0.9", got)
	}
	for range 12 {
		p.tick(true, false)
	}
	gap := p.heard[len(p.heard)-3*frame:]
	if l := audiotest.Level(gap); l != 0 {
		t.Errorf("180 ms after the last packet the level is %.0f", l)
	}
	p.ticks(30)
	if got := steepest(p.heard[frame*10:]); got > noClick {
		t.Errorf("a step of %d", got)
	}
	if s := p.b.Stats(); s.Lost != 22 || s.Garbled+s.Late+s.Overflow != 0 || s.Concealed < 10 || s.Concealed > 16 {
		t.Errorf("%+v", s)
	}
}

// TestSilence: a talker who sends nothing is no speech, is counted as
// nothing, and is heard again at once, timestamps gone on or not.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		name string
		goes bool
	}{{"timestamps go on", true}, {"timestamps stand still", false}} {
		p := newPlayer(t)
		p.ticks(50)
		before := p.b.Stats()
		ts, voiced := p.ts, 0
		for range 500 {
			if p.tick(false, false) {
				voiced++
			}
		}
		if s := p.b.Stats(); s.Concealed > before.Concealed+4 || s.Lost != 0 || voiced > 25 {
			t.Errorf("%s: %d frames of silence are voiced; %+v", c.name, voiced, s)
		}
		if !c.goes {
			p.ts = ts
		}
		for range 40 {
			p.tick(true, true)
		}
		if p := audiotest.Purity(p.heard[len(p.heard)-20*frame:], 500); p < 0.95 {
			t.Errorf("%s: afterwards %.3f of the power is the tone's", c.name, p)
		}
		if s := p.b.Stats(); s.Overflow != 0 || s.Lost != 0 || s.Delay > 100*time.Millisecond {
			t.Errorf("%s: %+v", c.name, s)
		}
		if got := steepest(p.heard[frame*10:]); got > noClick {
			t.Errorf("%s: a step of %d", c.name, got)
		}
	}
}

// TestGarbledIsConcealed: bytes that look like Opus by their beginning only.
func TestGarbledIsConcealed(t *testing.T) {
	p := newPlayer(t)
	p.ticks(20)
	p.packets = [][]byte{append([]byte{31 << 3}, make([]byte, opus.MaxPacket+1)...)}
	p.ticks(20)
	if s := p.b.Stats(); s.Garbled < 15 || s.Garbled > 20 {
		t.Errorf("%+v", s)
	}
	if l := audiotest.Level(p.heard[len(p.heard)-5*frame:]); l != 0 {
		t.Errorf("garbage is heard at a level of %.0f", l)
	}
}

// TestPlayoutThatStopped: packets go on while nobody calls Get for a while. The
// newest are played then, at the delay that is due.
func TestPlayoutThatStopped(t *testing.T) {
	p := newPlayer(t)
	p.ticks(50)
	for range 200 {
		p.b.Put(p.seq, p.ts, p.packets[int(p.seq)%len(p.packets)], p.now)
		p.seq, p.ts, p.now = p.seq+1, p.ts+frame, p.now+20*time.Millisecond
	}
	p.ticks(100)
	if s := p.b.Stats(); s.Overflow < 150 || s.Delay > 120*time.Millisecond || s.Waiting > 8 {
		t.Errorf("%+v", s)
	}
	if got := steepest(p.heard[frame*10:]); got > noClick {
		t.Errorf("a step of %d", got)
	}
}

// TestCatchingUpDoesNotClick: 200 ms come late and all at once while a tone, which
// has no pause, goes on. The delay shrinks period by period.
func TestCatchingUpDoesNotClick(t *testing.T) {
	p := newPlayer(t)
	p.ticks(50)
	held := *p
	for range 10 {
		p.tick(false, false)
	}
	for range 10 {
		p.b.Put(held.seq, held.ts, p.packets[int(held.seq)%len(p.packets)], p.now)
		held.seq, held.ts = held.seq+1, held.ts+frame
	}
	p.seq = held.seq
	p.tick(true, true)
	if s := p.b.Stats(); s.Delay < 100*time.Millisecond {
		t.Errorf("the delay is %v after the outage", s.Delay)
	}
	p.ticks(600)
	if s := p.b.Stats(); s.Delay > s.Target+pressing*time.Second/rate || s.Overflow+s.Lost+s.Late != 0 {
		t.Errorf("%+v", s)
	}
	if got := steepest(p.heard[frame*10:]); got > noClick {
		t.Errorf("a step of %d", got)
	}
	if p := audiotest.Purity(p.heard[62*frame:], 500); p < 0.9 {
		t.Errorf("%.3f of the power is the tone's", p)
	}
}

func TestFramesOfAnySize(t *testing.T) {
	p := newPlayer(t)
	var heard []int16
	for range 60 {
		p.b.Put(p.seq, p.ts, p.packets[int(p.seq)%len(p.packets)], p.now)
		p.seq, p.ts, p.now = p.seq+1, p.ts+frame, p.now+20*time.Millisecond
		for _, n := range []int{100, 500, 0, 360} {
			out := make([]int16, n)
			p.b.Get(out)
			heard = append(heard, out...)
		}
	}
	if p := audiotest.Purity(heard[20*frame:], 500); p < 0.97 {
		t.Errorf("%.3f of the power is the tone's", p)
	}
	long := make([]int16, 5*frame)
	p.b.Get(long)
	if s := p.b.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

// TestBothSidesAtOnce is for the race detector.
func TestBothSidesAtOnce(t *testing.T) {
	p := newPlayer(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 500 {
			p.b.Put(uint16(i), uint32(i*frame), p.packets[i%len(p.packets)], time.Duration(i)*20*time.Millisecond)
		}
	})
	wg.Go(func() {
		for range 500 {
			p.b.Stats()
		}
	})
	out := make([]int16, frame)
	for range 500 {
		p.b.Get(out)
	}
	wg.Wait()
	if s := p.b.Stats(); s.Received != 500 {
		t.Errorf("%+v", s)
	}
}

func FuzzBuffer(f *testing.F) {
	var seed []byte
	for i, p := range tone(f) {
		seed = append(seed, byte(len(p)), byte(i), 0, byte(i*4), 1)
		seed = append(seed, p...)
	}
	f.Add(seed)
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 3, 0xff, 0xff, 0xff, 0xff, 28 << 3, 1, 2})
	f.Add([]byte{2, 0, 0, 0, 9, 9 << 3, 1, 2, 0, 200, 200, 255, 31<<3 | 3, 0x83})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, out := New(), make([]int16, frame)
		at := time.Duration(0)
		for len(data) >= 5 {
			n, seq, ts, gets := int(data[0]), uint16(data[1])<<(data[2]&8), uint32(binary.BigEndian.Uint16(data[2:4]))<<8, int(data[4]&3)
			payload := data[5:min(len(data), 5+n)]
			data = data[5+len(payload):]
			at += time.Duration(int8(n)) * time.Millisecond
			b.Put(seq, ts, payload, at)
			for range gets {
				b.Get(out)
			}
			s := b.Stats()
			if s.Waiting < 0 || s.Waiting > window || s.Target < minTarget*time.Second/rate || s.Target > maxTarget*time.Second/rate {
				t.Fatalf("%+v", s)
			}
			if b.queue.end-b.queue.ts > maxSpan+2*rate {
				t.Fatalf("%d samples wait", b.queue.end-b.queue.ts)
			}
		}
		for range 100 {
			b.Get(out)
		}
		if s := b.Stats(); s.Waiting != 0 {
			t.Fatalf("two seconds later %+v", s)
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	p, out, i := newPlayer(t), make([]int16, frame), 0
	p.ticks(300) // every slot has been used
	n := testing.AllocsPerRun(200, func() {
		if i++; i%7 != 0 {
			p.b.Put(p.seq, p.ts, p.packets[i%len(p.packets)], p.now)
		}
		p.seq, p.ts, p.now = p.seq+1, p.ts+frame, p.now+20*time.Millisecond
		p.b.Get(out)
	})
	if n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

// BenchmarkBuffer is a frame's way, decoding included, with one packet in ten lost.
func BenchmarkBuffer(b *testing.B) {
	p, out, i := newPlayer(b), make([]int16, frame), 0
	b.ReportAllocs()
	for b.Loop() {
		if i++; i%10 != 0 {
			p.b.Put(p.seq, p.ts, p.packets[i%len(p.packets)], p.now)
		}
		p.seq, p.ts, p.now = p.seq+1, p.ts+frame, p.now+20*time.Millisecond
		p.b.Get(out)
	}
}

func BenchmarkConceal(b *testing.B) {
	var c concealer
	out := make([]int16, frame)
	c.remember(audiotest.Sine(200, 8000, len(c.past)))
	for b.Loop() {
		c.period = 0
		c.fill(out)
	}
}
