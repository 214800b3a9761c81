//go:build cgo

package studio

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/opus"

	codec "github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/audio/prompt"
)

// tones is a source whose clips are all a tone of half a second.
type tones []string

func (t tones) Names() []string { return t }

func (tones) Sound(context.Context, string) (Sound, error) {
	return Sound{sine(500, 0.2, 22050, 11025), 22050}, nil
}

func TestMake(t *testing.T) {
	data, err := Make(t.Context(), tones(append(required(), "name/anna", "chime/talk")))
	if err != nil {
		t.Fatal(err)
	}
	a, err := prompt.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	own, anna, made := clip(t, a, "chime/talk"), clip(t, a, "name/anna"), clip(t, a, "chime/ask")
	if likeness(own, anna) != 1 || likeness(own, made) > 0.99 {
		t.Error("a chime of one's own was not taken")
	}
	again, err := Make(t.Context(), tones(append(required(), "name/anna", "chime/talk")))
	if err != nil || string(again) != string(data) {
		t.Errorf("made again it is another archive: %v", err)
	}
}

// required returns all that a source must have.
func required() (names []string) {
	for _, name := range prompt.Required() {
		if chimes[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

func TestMakeRefusesAnIncompleteSource(t *testing.T) {
	data, err := Make(t.Context(), tones{"phrase/is-speaking", "name/anna"})
	if data != nil || !errors.Is(err, prompt.ErrMissing) || !strings.Contains(err.Error(), "letter/q") {
		t.Errorf("made %d bytes, %v", len(data), err)
	}
}

func TestRecorded(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenRecorded(dir); err == nil || !strings.Contains(err.Error(), "no recording") {
		t.Errorf("an empty folder: %v", err)
	}
	sound := make([]byte, 44100)
	for i, v := range sine(500, 0.3, 22050, 22050) {
		s := int16(v * 32767)
		sound[2*i], sound[2*i+1] = byte(s), byte(s>>8)
	}
	for _, name := range required() {
		write(name+".wav", wavFile(formatPCM, 1, 22050, 16, sound))
	}
	write("README", []byte("recorded on a Sunday"))
	r, err := OpenRecorded(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Make(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := prompt.Parse(data); err != nil || a.Check() != nil {
		t.Errorf("archive of recordings: %v", err)
	}
	write("digit/3.wav", []byte("no sound"))
	if _, err := Make(t.Context(), r); !errors.Is(err, errWAV) || !strings.Contains(err.Error(), "3.wav") {
		t.Errorf("a recording that is none: %v", err)
	}
	write("name/Anna.wav", nil)
	if _, err := OpenRecorded(dir); err == nil || !strings.Contains(err.Error(), "name/Anna") {
		t.Errorf("a name that no clip can have: %v", err)
	}
}

func TestWithoutEspeak(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := NewEspeak("en", 170, nil); !errors.Is(err, ErrNoEspeak) || !strings.Contains(err.Error(), "apt-get install espeak-ng") {
		t.Errorf("NewEspeak: %v", err)
	}
}

// espeak-ng looks for a PulseAudio server, also where nobody has ever had one.
func TestEspeakLeavesNothing(t *testing.T) {
	e, err := NewEspeak("en", 170, map[string]Text{"phrase/hello": {Words: "Hello."}})
	if err != nil {
		t.Skip("espeak-ng is not installed")
	}
	home, temporary := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("TMPDIR", temporary)
	for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
		t.Setenv(name, "") // so that it is there again after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := e.Sound(t.Context(), "phrase/hello"); err != nil || len(s.Samples) == 0 {
		t.Fatalf("Sound: %d samples, %v", len(s.Samples), err)
	}
	for _, dir := range []string{home, temporary} {
		if l, err := os.ReadDir(dir); err != nil || len(l) != 0 {
			t.Errorf("left in %s: %v, %v", dir, l, err)
		}
	}
}

// TestDefaultIsWhatEspeakSays makes a few clips again. Another version of espeak-ng or
// another processor may give other samples, but not another sound.
func TestDefaultIsWhatEspeakSays(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		t.Skip("espeak-ng is not installed")
	}
	texts, err := Texts(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEspeak("en", 170, texts)
	if err != nil {
		t.Fatal(err)
	}
	a, err := prompt.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"phrase/is-speaking", "phrase/nobody-watching", "name/anna", "name/jorg", "letter/w", "digit/7"} {
		sound, err := e.Sound(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		packets, err := record(sound)
		if err != nil {
			t.Fatal(err)
		}
		made, kept := decode(t, packets), clip(t, a, name)
		mastered, err := master(resample(sound.Samples, sound.Rate, rate))
		if err != nil {
			t.Fatal(err)
		}
		late := append(make([]float64, codec.Lookahead), mastered...)
		if l := likeness(late, made); l < 0.8 {
			t.Errorf("%s doesn't survive its encoding: correlation %.3f", name, l)
		}
		if l := fit(spectrum(made), spectrum(kept)); l < 0.7 {
			t.Errorf("%s in the archive isn't what espeak-ng says: correlation of spectra %.3f", name, l)
		}
		if l := fit(spectrum(made), spectrum(clip(t, a, "digit/0"))); l > 0.65 {
			t.Errorf("%s cannot be told from zero: correlation of spectra %.3f", name, l)
		}
	}
}

func TestEspeakSaysWhichVoiceItLacks(t *testing.T) {
	e, err := NewEspeak("klingonese", 170, map[string]Text{"digit/0": {Words: "zero"}})
	if errors.Is(err, ErrNoEspeak) {
		t.Skip("espeak-ng is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Sound(t.Context(), "digit/0"); err == nil || !strings.Contains(err.Error(), "klingonese") {
		t.Errorf("a voice that there isn't: %v", err)
	}
}

func clip(t *testing.T, a *prompt.Archive, name string) []float64 {
	t.Helper()
	packets, err := a.Clip(name)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, packets)
}

func decode(t *testing.T, packets [][]byte) (samples []float64) {
	t.Helper()
	d, err := opus.NewDecoderWithOutput(rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]int16, 960)
	for _, p := range packets {
		if _, err := d.DecodeToInt16(p, frame); err != nil {
			t.Fatal(err)
		}
		for _, v := range frame {
			samples = append(samples, float64(v)/32768)
		}
	}
	return samples
}

const bands = 15

// spectrum returns how loud each 5 ms are in bands of 250 Hz, above their mean.
func spectrum(samples []float64) (s []float64) {
	const width = rate / 200
	var sum float64
	for ; len(samples) >= width; samples = samples[width:] {
		for band := range bands {
			var re, im float64
			for i, v := range samples[:width] {
				sin, cos := math.Sincos(2 * math.Pi * 250 * float64(band+1) * float64(i) / rate)
				re, im = re+v*cos, im+v*sin
			}
			level := math.Sqrt(math.Hypot(re, im))
			s, sum = append(s, level), sum+level
		}
	}
	for i := range s {
		s[i] -= sum / float64(len(s))
	}
	return s
}

// fit returns the best likeness of two spectra, moved against each other by up to 100 ms.
func fit(a, b []float64) (best float64) {
	for shift := range 40 {
		shifted := append(make([]float64, shift*bands), a...)
		moved := append(make([]float64, 20*bands), b...)
		best = max(best, likeness(shifted, moved))
	}
	return best
}

// likeness returns the correlation of two signals, the shorter one filled up with silence.
func likeness(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range max(len(a), len(b)) {
		var x, y float64
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}
