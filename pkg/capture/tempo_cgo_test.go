//go:build cgo

package capture

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/media/avc"
)

// filmed returns what an encoder at 100 kbit/s makes of a camera with noise, whose driver
// says 15 pictures a second.
func filmed(t *testing.T, at []time.Duration) []published {
	t.Helper()
	b := newBench(t, nil)
	b.cfg.Rate, b.highest, b.cfg.KeyframeSeconds = 15, 100_000, 2
	defer b.out.Want()()
	const w, h = 160, 96
	e, err := newEncode(b.Camera, shape{raw: h264.Source{Layout: h264.NV12, Width: w, Height: h}, rate: 15, driven: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	r, data, noise := rand.New(rand.NewPCG(1, 2)), make([]byte, w*h*3/2), make([]byte, 1<<16)
	for i := range noise {
		noise[i] = byte(r.IntN(16))
	}
	for _, pts := range at {
		grain := noise[r.IntN(len(noise)-len(data)):]
		shift := int(40 * pts.Seconds()) // by time and not by count, or a slow camera would show a slow world
		for i := range data {
			x, y := (i+shift)&31, (i/w+shift/2)&31
			data[i] = byte(80+3*min(x, 32-x)+2*min(y, 32-y)) + grain[i]
		}
		if _, err := e.take(picture{data: data, pts: pts}); err != nil {
			t.Fatal(err)
		}
	}
	return b.got
}

func levelOf(t *testing.T, u published) string {
	t.Helper()
	s, err := avc.ParseSPS(avc.SetsIn(u.Data).SPS(u.Data))
	if err != nil {
		t.Fatal(err)
	}
	return s.ProfileLevelID[4:]
}

func TestBitrateAndKeyframesGoByTime(t *testing.T) {
	for name, c := range map[string]struct {
		spells  [][2]float64
		least   float64 // kbit/s
		longest time.Duration
	}{
		"as the driver says": {[][2]float64{{15, 20}}, 70, 2100 * time.Millisecond},
		"twice as fast":      {[][2]float64{{30, 20}}, 70, 2100 * time.Millisecond},
		"a third":            {[][2]float64{{5, 20}}, 70, 2300 * time.Millisecond},
		"one a second":       {[][2]float64{{1, 20}}, 30, 3 * time.Second}, // it can't be made better than best
		"by day and night":   {[][2]float64{{30, 8}, {5, 8}, {15, 8}, {3, 8}}, 70, 2400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			at := times(0.2, c.spells...)
			got := filmed(t, at)
			bits, key, longest, level := 0, got[0].PTS, time.Duration(0), levelOf(t, got[0])
			for _, u := range got {
				if bits += 8 * len(u.Data); !u.Key {
					continue
				}
				longest, key = max(longest, u.PTS-key), u.PTS
				if l := levelOf(t, u); l > level {
					t.Errorf("level %s at %v, want at most %s, which viewers were told", l, u.PTS, level)
				}
			}
			longest = max(longest, at[len(at)-1]-key)
			kbps := float64(bits) / (at[len(at)-1] - at[0]).Seconds() / 1000
			t.Logf("%.0f kbit/s, %d pictures, keyframes at most %v apart", kbps, len(got), longest)
			if kbps < c.least || kbps > 115 {
				t.Errorf("%.0f kbit/s of 100", kbps)
			}
			if longest > c.longest {
				t.Errorf("%v from keyframe to keyframe, want 2s", longest)
			}
		})
	}
}
