//go:build cgo

package opus

import (
	"math/rand/v2"
	"testing"

	decoder "github.com/pion/opus"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

func newEncoder(t testing.TB, bitrate int) *Encoder {
	t.Helper()
	e, err := New(bitrate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// roundTrip encodes samples and decodes them with another implementation. It
// returns the bytes that lay between too.
func roundTrip(t *testing.T, e *Encoder, samples []int16) (decoded []int16, size int) {
	t.Helper()
	d, err := decoder.NewDecoderWithOutput(48000, 1)
	if err != nil {
		t.Fatal(err)
	}
	var packet []byte
	out := make([]int16, FrameSamples)
	for ; len(samples) >= FrameSamples; samples = samples[FrameSamples:] {
		if packet, err = e.Encode(packet[:0], samples[:FrameSamples]); err != nil {
			t.Fatal(err)
		}
		n, err := d.DecodeToInt16(packet, out)
		if err != nil || n != FrameSamples {
			t.Fatalf("decoded %d samples, %v", n, err)
		}
		decoded, size = append(decoded, out...), size+len(packet)
	}
	return decoded, size
}

// noise makes n samples that are the same in every run.
func noise(n int) []int16 {
	random := rand.New(rand.NewPCG(1, 2))
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(random.IntN(16000) - 8000)
	}
	return s
}

func TestToneSurvives(t *testing.T) {
	for _, bitrate := range []int{16000, 32000, 64000} {
		got, _ := roundTrip(t, newEncoder(t, bitrate), audiotest.Sine(1000, 10000, 48000))
		got = got[9600:] // the encoder settles first
		if p := audiotest.Purity(got, 1000); p < 0.98 {
			t.Errorf("%d bit/s: %.3f of the power is the tone's, want 0.98", bitrate, p)
		}
		if l := audiotest.Level(got); l < 6000 || l > 8000 {
			t.Errorf("%d bit/s: level %.0f, want about 7071", bitrate, l)
		}
	}
}

func TestBitrateIsKept(t *testing.T) {
	noise := noise(5 * 48000)
	for _, bitrate := range []int{24000, 32000, 64000} {
		_, size := roundTrip(t, newEncoder(t, bitrate), noise)
		if got := size * 8 / 5; got < bitrate*8/10 || got > bitrate*12/10 {
			t.Errorf("asked for %d bit/s, got %d", bitrate, got)
		}
	}
}

// TestLookaheadIsTheDelay looks for the shift at which what comes out fits best
// over what went in.
func TestLookaheadIsTheDelay(t *testing.T) {
	in := make([]int16, 24000)
	low := 0.0
	for i, v := range noise(len(in)) { // without treble, which is kept less well
		low += 0.1 * (2*float64(v) - low)
		in[i] = int16(low)
	}
	out, _ := roundTrip(t, newEncoder(t, 128000), in)
	best, at := 0.0, -1
	for shift := range 960 {
		var sum float64
		for i := 4800; i < 19200; i++ {
			sum += float64(in[i]) * float64(out[i+shift])
		}
		if sum > best {
			best, at = sum, shift
		}
	}
	if at < Lookahead-3 || at > Lookahead+3 { // a filter's phase shifts it a little
		t.Errorf("what comes out is %d samples late, want %d", at, Lookahead)
	}
}

// protected reports whether a packet of one frame has the speech of the frame before, too:
// the LBRR flag of its SILK part (RFC 6716 sections 4.2.3 and 4.2.4), which is the second
// bit for mono and 20 ms.
func protected(packet []byte) bool {
	const celt = 16 // the first configuration without SILK (section 3.1)
	return packet[0]>>3 < celt && len(packet) > 1 && packet[1]&0x40 != 0
}

// TestLossIsPreparedFor: with loss, packets have in-band FEC within the same bitrate;
// without, they are what they were.
func TestLossIsPreparedFor(t *testing.T) {
	const seconds = 4
	voice := audiotest.Voice(1, seconds*48000)
	for _, bitrate := range []int{24000, 32000, 64000} { // libopus has it from about 20000 on
		for _, loss := range []int{0, 1, 5, 25, 100} {
			e := newEncoder(t, bitrate)
			if err := e.SetLoss(loss); err != nil {
				t.Fatal(err)
			}
			frames, with, size := 0, 0, 0
			for at := 0; at < len(voice); at += FrameSamples {
				p, err := e.Encode(nil, voice[at:][:FrameSamples])
				if err != nil {
					t.Fatal(err)
				}
				frames, size = frames+1, size+len(p)
				if protected(p) {
					with++
				}
			}
			t.Logf("%d bit/s, loss %d %%: %d of %d packets with FEC, %d bit/s", bitrate, loss, with, frames, size*8/seconds)
			if loss == 0 && with > 0 || loss > 0 && with < frames/2 {
				t.Errorf("%d bit/s, loss %d %%: %d of %d packets have FEC", bitrate, loss, with, frames)
			}
			if got := size * 8 / seconds; got > bitrate*12/10 {
				t.Errorf("%d bit/s, loss %d %%: %d bit/s", bitrate, loss, got)
			}
		}
	}
}

// TestNoLossLeavesNothingBehind compares with an encoder that never knew of any loss, once
// what the other mode left has faded.
func TestNoLossLeavesNothingBehind(t *testing.T) {
	voice := audiotest.Voice(2, 4*48000)
	e := newEncoder(t, 32000)
	var packet []byte
	for i, loss := range []int{10, 0} {
		if err := e.SetLoss(loss); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(voice); at += FrameSamples {
			var err error
			if packet, err = e.Encode(packet[:0], voice[at:][:FrameSamples]); err != nil {
				t.Fatal(err)
			}
			if i == 1 && at > 10*FrameSamples && packet[0]>>3 != 31 {
				t.Fatalf("frame %d is of configuration %d, want 31: CELT, fullband, 20 ms", at/FrameSamples, packet[0]>>3)
			}
		}
	}
}

// TestSoundSurvivesChangesOfTheLoss goes back and forth between the modes.
func TestSoundSurvivesChangesOfTheLoss(t *testing.T) {
	e, tone := newEncoder(t, 32000), audiotest.Sine(500, 8192, 25*FrameSamples)
	var all []int16
	d, frame := NewDecoder(), make([]int16, MaxSamples)
	for _, loss := range []int{0, 10, 0, 25} {
		if err := e.SetLoss(loss); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(tone); at += FrameSamples {
			p, err := e.Encode(nil, tone[at:][:FrameSamples])
			if err != nil {
				t.Fatal(err)
			}
			n, err := d.Decode(frame, p)
			if err != nil || n != FrameSamples {
				t.Fatalf("loss %d %%: %d samples, %v", loss, n, err)
			}
			all = append(all, frame[:n]...)
		}
	}
	if p := audiotest.Purity(all[9600:], 500); p < 0.9 {
		t.Errorf("%.3f of the power is the tone's, want 0.9", p)
	}
}

func TestEncodeAppends(t *testing.T) {
	got, err := newEncoder(t, 32000).Encode([]byte("head"), make([]int16, FrameSamples))
	if err != nil || string(got[:4]) != "head" || len(got) < 5 {
		t.Errorf("Encode = %q, %v", got, err)
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	e := newEncoder(t, 32000)
	for _, n := range []int{0, 480, FrameSamples + 1} {
		if got, err := e.Encode(nil, make([]int16, n)); err == nil {
			t.Errorf("a frame of %d samples gave %d bytes", n, len(got))
		}
	}
	if _, err := New(-5); err == nil {
		t.Error("a negative bitrate was taken")
	}
	e.Close()
	e.Close()
}

func TestEncodeAllocatesNothing(t *testing.T) {
	e := newEncoder(t, 32000)
	frame, buf := audiotest.Sine(440, 8000, FrameSamples), make([]byte, 0, MaxPacket)
	if n := testing.AllocsPerRun(200, func() { buf, _ = e.Encode(buf[:0], frame) }); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	e := newEncoder(b, 32000)
	noise := noise(FrameSamples)
	var buf []byte
	var err error
	for b.Loop() {
		if buf, err = e.Encode(buf[:0], noise); err != nil {
			b.Fatal(err)
		}
	}
}
