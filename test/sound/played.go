package sound

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/audio/prompt"
)

// Played reads what a camera with speaker = "file" has played so far; nothing if there
// is no file yet.
func Played(tb testing.TB, path string) []int16 {
	tb.Helper()
	b, err := os.ReadFile(path) //nolint:gosec // the test's own
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return Samples(b)
}

// Samples reads 16-bit little-endian samples.
func Samples(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:])) //nolint:gosec // sample bytes
	}
	return out
}

// Announcement is what the room has to hear before a member's voice: the built-in
// prompts say it.
func Announcement(tb testing.TB, who prompt.Person) []int16 {
	tb.Helper()
	return words(tb, func(a *prompt.Archive) ([][]byte, error) { return a.Speaking(who) })
}

// Bell is what the room hears of a ring.
func Bell(tb testing.TB) []int16 {
	tb.Helper()
	return words(tb, (*prompt.Archive).Ring)
}

func words(tb testing.TB, of func(*prompt.Archive) ([][]byte, error)) []int16 {
	tb.Helper()
	a, err := prompt.Default()
	if err != nil {
		tb.Fatal(err)
	}
	packets, err := of(a)
	if err != nil {
		tb.Fatal(err)
	}
	samples, err := Decode(packets)
	if err != nil {
		tb.Fatal(err)
	}
	return samples
}

// Decode is what Opus packets of 20 ms hold.
func Decode(packets [][]byte) ([]int16, error) {
	d, frame := opus.NewDecoder(), make([]int16, opus.FrameSamples)
	var all []int16
	for _, p := range packets {
		n, err := d.Decode(frame, p)
		if err != nil {
			return nil, err
		}
		all = append(all, frame[:n]...)
	}
	return all, nil
}

// Encode makes the Opus packets of 20 ms of a sound; what is left at its end is not
// sent.
func Encode(samples []int16) ([][]byte, error) {
	e, err := opus.New(32000)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var all [][]byte
	for ; len(samples) >= opus.FrameSamples; samples = samples[opus.FrameSamples:] {
		p, err := e.Encode(nil, samples[:opus.FrameSamples])
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
