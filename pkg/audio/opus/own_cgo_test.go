//go:build cgo

package opus

import (
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

// ownPackets returns a few of our own encoder's.
func ownPackets(t testing.TB) (packets [][]byte) {
	tone := audiotest.Sine(500, 8192, 5*FrameSamples)
	for _, bitrate := range []int{16000, 32000, 64000} {
		e := newEncoder(t, bitrate)
		for i := range 5 {
			p, err := e.Encode(nil, tone[i*FrameSamples:][:FrameSamples])
			if err != nil {
				t.Fatal(err)
			}
			packets = append(packets, p)
		}
	}
	return packets
}

// TestDecodeOurOwn plays what our encoder made.
func TestDecodeOurOwn(t *testing.T) {
	e := newEncoder(t, 32000)
	g := golden{name: "own", channels: 1, samples: FrameSamples}
	tone := audiotest.Sine(500, 8192, 25*FrameSamples)
	for ; len(tone) > 0; tone = tone[FrameSamples:] {
		p, err := e.Encode(nil, tone[:FrameSamples])
		if err != nil {
			t.Fatal(err)
		}
		g.packets = append(g.packets, p)
	}
	check(t, g, decode(t, NewDecoder(), g))
}
