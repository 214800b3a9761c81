//go:build cgo

package jitter

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// packets encodes n frames of a voice.
func packets(t testing.TB, seed uint64, n int) [][]byte {
	t.Helper()
	e, err := opus.New(32000)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	voice := audiotest.Voice(seed, n*frame)
	all := make([][]byte, n)
	for i := range all {
		if all[i], err = e.Encode(nil, voice[i*frame:][:frame]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// undisturbed decodes packets one after the other.
func undisturbed(t testing.TB, packets [][]byte) (samples []int16) {
	d, out := opus.NewDecoder(), make([]int16, frame)
	for _, p := range packets {
		if _, err := d.Decode(out, p); err != nil {
			t.Fatal(err)
		}
		samples = append(samples, out...)
	}
	return samples
}

// arrival is a packet that comes out of the network.
type arrival struct {
	seq     uint16
	ts      uint32
	payload []byte
	at      time.Duration
}

// sent returns what leaves the sender: from a sequence number and timestamp on.
func sent(packets [][]byte, seq uint16, ts uint32) []arrival {
	all := make([]arrival, len(packets))
	for i, p := range packets {
		all[i] = arrival{seq + uint16(i), ts + uint32(i*frame), p, time.Duration(i) * 20 * time.Millisecond}
	}
	return all
}

// network loses, delays evenly by up to jitter, and doubles packets.
type network struct {
	loss, twice float64
	jitter      time.Duration
}

func (n network) carry(random *rand.Rand, packets []arrival) (out []arrival) {
	for _, p := range packets {
		if random.Float64() < n.loss {
			continue
		}
		p.at += time.Duration(random.Int64N(int64(n.jitter) + 1))
		out = append(out, p)
		if random.Float64() < n.twice {
			p.at += time.Millisecond
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return int(a.at - b.at) })
	return out
}

// holes counts what is missing between the first packet sent and the last one that
// arrived.
func holes(arrivals []arrival) int {
	last := uint16(0)
	for _, a := range arrivals {
		last = max(last, a.seq-firstSeq)
	}
	return int(last) + 1 - len(arrivals)
}

// firstSeq is near the end, so that the numbers wrap.
const firstSeq = 65300

// listen plays everything that arrives, and a second more. The bounds hold at
// every moment.
func listen(t *testing.T, b *Buffer, arrivals []arrival) (samples []int16, voiced int) {
	t.Helper()
	out := make([]int16, frame)
	for now := 7 * time.Millisecond; ; now += 20 * time.Millisecond {
		for len(arrivals) > 0 && arrivals[0].at <= now {
			a := arrivals[0]
			b.Put(a.seq, a.ts, a.payload, a.at)
			arrivals = arrivals[1:]
		}
		if len(arrivals) == 0 {
			break
		}
		if b.Get(out) {
			voiced++
		}
		samples = append(samples, out...)
		if s := b.Stats(); s.Waiting > 26 || s.Target < 20*time.Millisecond || s.Target > 200*time.Millisecond {
			t.Fatalf("at %v: %+v", now, s)
		}
	}
	for range 50 {
		b.Get(out)
		samples = append(samples, out...)
	}
	return samples, voiced
}

// intelligible returns the correlation measure of these tests: how alike what was heard
// is to the undisturbed decoding. Both are lowered to 8 kHz; for each 100 ms of the
// undisturbed in which somebody speaks (above -45 dBFS) the place within the
// following 300 ms is found where the heard has the greatest normalised
// correlation with it; the measure is the mean of these. 1 is the same sound; white
// noise against speech gives about 0.2.
func intelligible(undisturbed, heard []int16) float64 {
	u, h := lowered(undisturbed), lowered(heard)
	const block, reach = 800, 2400
	sum, n := 0.0, 0
	for at := 0; at+block <= len(u) && at+block+reach <= len(h); at += block {
		power := dot(u[at:at+block], u[at:at+block])
		if power/block < 184*184 {
			continue
		}
		best := 0.0
		for lag := range reach {
			there := h[at+lag:][:block]
			if p := dot(there, there); p > 0 {
				best = max(best, dot(u[at:at+block], there)/math.Sqrt(power*p))
			}
		}
		sum, n = sum+best, n+1
	}
	return sum / float64(n)
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func lowered(samples []int16) []float64 {
	out := make([]float64, len(samples)/6)
	for i := range out {
		for _, s := range samples[i*6 : i*6+6] {
			out[i] += float64(s) / 6
		}
	}
	return out
}

// TestIntelligible states how well a voice gets through bad networks. Wanted are
// correlations of 0.979 with 5 % of the packets lost, 0.925 with 20 %; with silence
// in place of the concealment they would be 0.973 and 0.910.
func TestIntelligible(t *testing.T) {
	const frames = 400
	for _, c := range []struct {
		name string
		network
		want  float64
		delay time.Duration // at most, at the end
	}{
		{"perfect", network{}, 0.98, 45 * time.Millisecond},
		{"jitter of 60 ms", network{jitter: 60 * time.Millisecond}, 0.97, 110 * time.Millisecond},
		{"loss of 5 %", network{loss: 0.05}, 0.979, 45 * time.Millisecond},
		{"loss of 20 %", network{loss: 0.2}, 0.925, 45 * time.Millisecond},
		{"loss of 5 %, jitter", network{loss: 0.05, jitter: 60 * time.Millisecond}, 0.979, 110 * time.Millisecond},
		{"loss of 20 %, jitter", network{loss: 0.2, jitter: 60 * time.Millisecond}, 0.925, 110 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packets(t, 1, frames)
			b := New()
			arrivals := c.carry(rand.New(rand.NewPCG(1, 2)), sent(p, firstSeq, 1<<32-30000))
			heard, voiced := listen(t, b, arrivals)
			got, s := intelligible(undisturbed(t, p), heard), b.Stats()
			t.Logf("correlation %.3f, voiced %d of %d, %+v", got, voiced, len(heard)/frame, s)
			if got < c.want {
				t.Errorf("correlation %.3f, want %.2f", got, c.want)
			}
			if s.Delay > c.delay {
				t.Errorf("a delay of %v at the end, want at most %v", s.Delay, c.delay)
			}
			if missing := holes(arrivals); int(s.Lost) < missing || int(s.Lost) > missing+frames/50 {
				t.Errorf("%d lost, %d were", s.Lost, missing)
			}
			if s.Garbled+s.Duplicate+s.Overflow != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestMeasure shows what the measure gives for sounds that have nothing in common.
func TestMeasure(t *testing.T) {
	p := undisturbed(t, packets(t, 1, 150))
	random := rand.New(rand.NewPCG(1, 1))
	noise := make([]int16, len(p))
	for i := range noise {
		noise[i] = int16(random.IntN(8000) - 4000)
	}
	if got := intelligible(p, noise); got > 0.4 {
		t.Errorf("noise: %.2f", got)
	}
	if got := intelligible(p, undisturbed(t, packets(t, 2, 150))); got > 0.7 {
		t.Errorf("another voice: %.2f", got)
	}
}

// TestOutage: a network that stands still for 300 ms and then delivers everything.
// Nothing is dropped, and within ten seconds the delay is back.
func TestOutage(t *testing.T) {
	p := packets(t, 3, 600)
	arrivals := sent(p, 0, 0)
	for i := 100; i < 115; i++ {
		arrivals[i].at = arrivals[115].at
	}
	b := New()
	heard, _ := listen(t, b, arrivals)
	s := b.Stats()
	if s.Overflow != 0 || s.Lost != 0 || s.Late != 0 {
		t.Errorf("%+v", s)
	}
	if s.Delay > 110*time.Millisecond {
		t.Errorf("the delay is %v ten seconds later", s.Delay)
	}
	if got := intelligible(undisturbed(t, p), heard); got < 0.9 {
		t.Errorf("correlation %.3f, want 0.9", got)
	}
}

// TestDrift: the sender's crystal is faster or slower than the loudspeaker's by
// 500 ppm, which makes 30 ms a minute.
func TestDrift(t *testing.T) {
	p := packets(t, 4, 3000)
	for _, ppm := range []int{-500, 500} {
		arrivals := sent(p, 0, 0)
		for i := range arrivals {
			arrivals[i].at -= arrivals[i].at / 1e6 * time.Duration(ppm)
		}
		b := New()
		listen(t, b, arrivals)
		if s := b.Stats(); s.Overflow+s.Late+s.Lost != 0 || s.Delay > 80*time.Millisecond || s.Concealed > 20 {
			t.Errorf("%d ppm: %+v", ppm, s)
		}
	}
}
