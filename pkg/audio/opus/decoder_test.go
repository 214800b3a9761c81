package opus

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

// golden is one stream of testdata/packets.txt.
type golden struct {
	name     string
	channels int
	samples  int // of a packet
	packets  [][]byte
}

func readGolden(t testing.TB) (all []golden) {
	t.Helper()
	f, err := os.Open("testdata/packets.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if head, ok := strings.CutPrefix(line, "= "); ok {
			var g golden
			if _, err := fmt.Sscan(head, &g.name, &g.channels, &g.samples); err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
			continue
		}
		packet, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		g := &all[len(all)-1]
		g.packets = append(g.packets, packet)
	}
	return all
}

// decode plays a stream through d.
func decode(t *testing.T, d *Decoder, g golden) (samples []int16) {
	t.Helper()
	frame := make([]int16, MaxSamples)
	for i, p := range g.packets {
		n, err := d.Decode(frame, p)
		if err != nil || n != g.samples {
			t.Fatalf("%s: packet %d gave %d samples, %v; want %d", g.name, i, n, err, g.samples)
		}
		samples = append(samples, frame[:n]...)
	}
	return samples
}

// check expects a 500 Hz tone once the stream has settled.
func check(t *testing.T, g golden, samples []int16) {
	t.Helper()
	s := samples[9600:]
	s = s[:len(s)/96*96]
	if p := audiotest.Purity(s, 500); p < 0.97 {
		t.Errorf("%s: %.3f of the power is the tone's, want 0.97", g.name, p)
	}
	want := 5792.6 / []float64{1, 1.4142}[g.channels-1]
	if l := audiotest.Level(s); l < 0.8*want || l > 1.2*want {
		t.Errorf("%s: level %.0f, want about %.0f", g.name, l, want)
	}
}

func TestDecodeWhatLibopusMade(t *testing.T) {
	modes := map[byte]bool{}
	for _, g := range readGolden(t) {
		check(t, g, decode(t, NewDecoder(), g))
		for _, p := range g.packets {
			modes[p[0]>>3] = true
		}
	}
	// Narrow, medium and wide band SILK, both hybrids, CELT; and every length.
	for _, config := range []byte{1, 3, 5, 8, 9, 10, 12, 15, 28, 29, 30, 31} {
		if !modes[config] {
			t.Errorf("testdata holds no packet of configuration %d", config)
		}
	}
}

// TestDecodeAcrossModes lets one decoder play all streams one after the other.
func TestDecodeAcrossModes(t *testing.T) {
	d := NewDecoder()
	all := readGolden(t)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, g := range all {
		check(t, g, decode(t, d, g))
	}
}

func TestPacketsThatAreNotPlayed(t *testing.T) {
	for _, c := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"nothing", nil, ErrGarbled},
		{"120 ms", []byte{31<<3 | 3, 6, 1, 2, 3, 4, 5, 6}, ErrTooLong},
		{"more than RFC 6716 allows", []byte{31<<3 | 3, 63, 1, 2, 3}, ErrGarbled},
		{"no frames", []byte{31<<3 | 3, 0, 1, 2, 3}, ErrGarbled},
		{"no frame count", []byte{31<<3 | 3}, ErrGarbled},
		{"two equal frames of odd length", []byte{31<<3 | 1, 1, 2, 3}, ErrGarbled},
		{"a first frame longer than all", []byte{31<<3 | 2, 100, 1, 2}, ErrGarbled},
		{"a frame of 1276 bytes", make([]byte, 1277), ErrGarbled},
		{"padding longer than all", []byte{31<<3 | 3, 0x41, 200, 1}, ErrGarbled},
		{"DTX, SILK", []byte{9 << 3}, ErrSilence},
		{"DTX, CELT", []byte{31 << 3, 0xff}, ErrSilence},
		{"DTX, 60 ms", []byte{9<<3 | 3, 3}, ErrSilence},
	} {
		if n, err := NewDecoder().Decode(make([]int16, MaxSamples), c.packet); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d samples, %v; want %v", c.name, n, err, c.want)
		}
	}
	if n, err := NewDecoder().Decode(make([]int16, 100), []byte{31 << 3, 1, 2, 3}); err == nil {
		t.Errorf("%d samples went into room for 100", n)
	}
}

// TestDecodeAfterGarbage: a broken packet harms nothing that comes after it.
func TestDecodeAfterGarbage(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, g := range readGolden(t) {
		d := NewDecoder()
		frame := make([]int16, MaxSamples)
		for range 200 {
			p := slices.Clone(g.packets[random.IntN(len(g.packets))])
			for range 1 + random.IntN(8) {
				p[random.IntN(len(p))] = byte(random.Uint32())
			}
			if n, err := d.Decode(frame, p[:1+random.IntN(len(p))]); n > MaxSamples || (err == nil) != (n > 0) {
				t.Fatalf("%s: %d samples, %v", g.name, n, err)
			}
		}
		check(t, g, decode(t, d, g))
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range readGolden(f) {
		for _, i := range []int{0, len(g.packets) / 2, len(g.packets) - 1} {
			f.Add(g.packets[i], g.packets[0])
		}
	}
	for _, p := range ownPackets(f) {
		f.Add(p, p)
	}
	f.Add([]byte{}, []byte{0xff})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d, frame := NewDecoder(), make([]int16, MaxSamples)
		for _, p := range [][]byte{first, second, first} {
			want, wrong := Samples(p)
			n, err := d.Decode(frame, p)
			if (err == nil) != (n > 0) || n > MaxSamples || err == nil && n != want || wrong != nil && err == nil {
				t.Fatalf("Decode = %d, %v; Samples = %d, %v", n, err, want, wrong)
			}
		}
	})
}

func TestDecodeAllocatesLittle(t *testing.T) {
	for _, g := range readGolden(t) {
		d, frame := NewDecoder(), make([]int16, MaxSamples)
		decode(t, d, g)
		i := 0
		n := testing.AllocsPerRun(100, func() {
			_, _ = d.Decode(frame, g.packets[len(g.packets)-1-i%4])
			i++
		})
		most := 0.0
		if g.samples > 960 || !strings.HasPrefix(g.name, "celt") {
			most = 12 // pion/opus's own
		}
		if n > most {
			t.Errorf("%s: %v allocations a packet, want at most %v", g.name, n, most)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, g := range readGolden(b) {
		b.Run(g.name, func(b *testing.B) {
			d, frame, i := NewDecoder(), make([]int16, MaxSamples), 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(frame, g.packets[i%len(g.packets)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
