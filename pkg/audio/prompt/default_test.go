package prompt

import (
	"math"
	"strings"
	"testing"

	"github.com/pion/opus"

	"github.com/camd-project/camd/pkg/proto"
)

const frameSamples = 960

// decode decodes packets one after the other with one new decoder.
func decode(t *testing.T, packets [][]byte) (samples []int16) {
	t.Helper()
	d, err := opus.NewDecoderWithOutput(48000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		frame := make([]int16, frameSamples)
		if n, err := d.DecodeToInt16(p, frame); err != nil || n != frameSamples {
			t.Fatalf("packet %d: %d samples, %v", i, n, err)
		}
		samples = append(samples, frame...)
	}
	return samples
}

func rms(samples []int16) float64 {
	var sum float64
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(samples))))
}

// sounding returns the level of what isn't silence, in whole frames.
func sounding(samples []int16) float64 {
	var loud []int16
	for ; len(samples) > 0; samples = samples[frameSamples:] {
		if rms(samples[:frameSamples]) > 300 {
			loud = append(loud, samples[:frameSamples]...)
		}
	}
	return rms(loud)
}

func peak(samples []int16) (p int) {
	for _, v := range samples {
		p = max(p, int(v), -int(v))
	}
	return p
}

func open(t *testing.T) *Archive {
	t.Helper()
	a, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDefaultIsWhole(t *testing.T) {
	a := open(t)
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	if n := len(embedded); n > 250_000 {
		t.Errorf("the archive has %d bytes; camd's size is bounded", n)
	}
	names := 0
	for _, name := range a.Names() {
		if strings.HasPrefix(name, "name/") {
			names++
		}
	}
	if names < 120 {
		t.Errorf("%d first names", names)
	}
}

// TestDefaultCanBeHeard decodes every clip with another implementation than made it:
// loud enough, not clipped, and without a click at its ends.
func TestDefaultCanBeHeard(t *testing.T) {
	a := open(t)
	for _, name := range a.Names() {
		packets, err := a.Clip(name)
		if err != nil {
			t.Fatal(err)
		}
		samples := decode(t, packets)
		if name == pause {
			if p := peak(samples); p > 20 {
				t.Errorf("the pause has a peak of %d", p)
			}
			continue
		}
		if l := sounding(samples); l < 2000 || l > 6000 {
			t.Errorf("%s: level %.0f, want 2000 to 6000", name, l)
		}
		if p := peak(samples); p > 32000 {
			t.Errorf("%s: peak %d", name, p)
		}
		if p := peak(samples[:48]); p > 200 {
			t.Errorf("%s begins with %d in its first millisecond", name, p)
		}
		if p := peak(samples[len(samples)-frameSamples:]); p > 100 {
			t.Errorf("%s ends with a peak of %d in its last 20 ms", name, p)
		}
	}
}

// TestJoinedClipsSoundLikeThemselves decodes a sentence in one go, as the speaker
// does, and each of its clips alone: no clip is heard in the next one.
func TestJoinedClipsSoundLikeThemselves(t *testing.T) {
	a := open(t)
	said := append([]string{ChimeTalk}, a.person(Person{"Anna Xq9 Jörg", proto.RoleOwner})...)
	said = append(said, isSpeaking, chimeRing, atTheDoor)
	whole, err := a.join(said)
	if err != nil {
		t.Fatal(err)
	}
	joined := decode(t, whole)
	for _, name := range said {
		packets, err := a.Clip(name)
		if err != nil {
			t.Fatal(err)
		}
		alone := decode(t, packets)
		if p := peak(joined[:48]); p > 250 {
			t.Errorf("%s begins with %d when it comes after another clip", name, p)
		}
		if c := likeness(joined[:len(alone)], alone); c < 0.98 {
			t.Errorf("%s is changed by the clip before it: correlation %.3f", name, c)
		}
		joined = joined[len(alone):]
	}
}

// likeness returns the normalised correlation of two sounds of the same length.
func likeness(a, b []int16) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa+bb < 1e6 {
		return 1 // both silent
	}
	return ab / math.Sqrt(aa*bb)
}
