package capture

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// pass sends pictures through and returns what was published.
func pass(t *testing.T, pictures ...picture) (*bench, *fakeStream) {
	t.Helper()
	b, s := newBench(t, nil), newFake()
	p := newPassThrough(b.Camera, s)
	for i, pic := range pictures {
		pic.pts = time.Duration(i+1) * 100 * time.Millisecond
		if good, err := p.take(pic); err != nil || good && pic.damaged {
			t.Fatalf("picture %d: good %v, %v", i, good, err)
		}
	}
	return b, s
}

func kinds(u published) (l []avc.NALType) {
	for nal, rest := avc.Next(u.Data); nal != nil; nal, rest = avc.Next(rest) {
		l = append(l, avc.TypeOf(nal))
	}
	return l
}

func TestWholePicturesArePublishedAsTheyAre(t *testing.T) {
	units := clipUnits()
	b, _ := pass(t, whole(units...)...)
	if len(b.got) != len(units) {
		t.Fatalf("%d pictures published, want %d", len(b.got), len(units))
	}
	for i, u := range units {
		if g := b.got[i]; !bytes.Equal(g.Data, u.Data) || g.Key != u.Key || g.PTS != time.Duration(i+1)*100*time.Millisecond {
			t.Errorf("picture %d: %d bytes, key %v, at %v", i, len(g.Data), g.Key, g.PTS)
		}
	}
	want := media.VideoFormat{Width: 64, Height: 48, Rate: 10, ProfileLevelID: "42c00a", CanForceIDR: true}
	if f, ok := b.Format(); !ok || f != want {
		t.Errorf("Format() = %+v, %v, want %+v", f, ok, want)
	}
}

// Two pictures a buffer of a camera that is twice as fast as its driver says.
func TestPicturesOfOneBufferLieBetweenTheBuffers(t *testing.T) {
	units := clipUnits()
	pair := picture{data: slices.Concat(units[0].Data, units[1].Data)}
	b, _ := pass(t, pair, pair, pair)
	for i, u := range b.got[1:] { // the first one's time is reckoned by what the driver says
		if want := time.Duration(i+2) * 50 * time.Millisecond; u.PTS != want {
			t.Errorf("picture %d at %v, want %v", i, u.PTS, want)
		}
	}
	if len(b.got) != 6 {
		t.Errorf("%d pictures, want 6", len(b.got))
	}
}

func TestHowBuffersAreCutDoesNotMatter(t *testing.T) {
	for name, c := range map[string]struct{ size, broken, first int }{
		"all in one": {len(clipData), 0, 0},
		"loose":      {300, 1, 2}, // the first picture was cut before that could be known; the next IDR mends it
		"very loose": {31, 0, 2},  // here not even its parameter sets came whole
	} {
		t.Run(name, func(t *testing.T) {
			var pictures []picture
			for piece := range slices.Chunk(clipData, c.size) {
				pictures = append(pictures, picture{data: piece})
			}
			delimiter := []byte{0, 0, 0, 1, 9, 0x30, 0, 0, 1, 1, 0x80} // begins one more, so that the last is seen to end
			b, _ := pass(t, append(pictures, picture{data: delimiter})...)
			b.got = b.got[c.broken:]
			for i, u := range clipUnits()[c.first:] {
				if i >= len(b.got) || !bytes.Equal(b.got[i].Data, u.Data) {
					t.Fatalf("picture %d of %d is not the one sent: %v", i, len(b.got), kinds(b.got[min(i, len(b.got)-1)]))
				}
				if i > 0 && b.got[i].PTS < b.got[i-1].PTS {
					t.Errorf("picture %d is stamped before picture %d", i, i-1)
				}
			}
		})
	}
}

func TestKeyframesGetTheParameterSetsThatCameOnlyOnce(t *testing.T) {
	units := clipUnits()
	// The third picture without its parameter sets, which came in a buffer of their own.
	i := bytes.Index(units[0].Data, []byte{0, 0, 0, 1, 0x67})
	j := bytes.Index(units[0].Data, []byte{0, 0, 1, 0x65})
	sets, bare := units[0].Data[i:j], append([]byte{0, 0, 0, 1, 9, 0x10}, units[0].Data[j:]...)
	b, _ := pass(t, picture{data: sets}, picture{data: bare}, picture{data: units[1].Data}, picture{data: bare})
	want := [][]avc.NALType{{7, 8, 5, 5}, {9, 1, 1}, {7, 8, 5, 5}}
	for i, u := range b.got {
		if !slices.Equal(kinds(u), want[i]) {
			t.Errorf("picture %d holds %v, want %v", i, kinds(u), want[i])
		}
	}
	if len(b.got) != len(want) {
		t.Errorf("%d pictures, want %d", len(b.got), len(want))
	}
}

func TestNothingIsPublishedBeforeAKeyframe(t *testing.T) {
	units := clipUnits()
	b, s := pass(t, whole(units[1], units[3], units[2], units[3])...)
	if len(b.got) != 2 || !b.got[0].Key {
		t.Errorf("%d pictures published", len(b.got))
	}
	if !slices.Equal(s.asked, []int{0}) {
		t.Errorf("the encoder was asked for %v, want one keyframe", s.asked)
	}
}

func TestACameraWithoutKeyframesIsAFault(t *testing.T) {
	p := newPassThrough(newBench(t, nil).Camera, newFake())
	slice := clipUnits()[1].Data
	var err error
	last := time.Duration(0)
	for pts := time.Second; pts < 2*keyPatience && err == nil; pts += 100 * time.Millisecond {
		_, err = p.take(picture{data: slice, pts: pts})
		last = pts
	}
	if !errors.Is(err, errNoKey) || last <= keyPatience {
		t.Errorf("after %v: %v, want errNoKey beyond %v", last, err, keyPatience)
	}
}

func TestLossAsksForAKeyframeButNotAllTheTime(t *testing.T) {
	units := clipUnits()
	pictures := whole(units[0])
	for range 20 { // two seconds
		pictures = append(pictures, picture{damaged: true}, picture{data: units[1].Data, lost: 1})
	}
	_, s := pass(t, pictures...)
	if n := len(s.asked); n < 2 || n > 5 {
		t.Errorf("asked for %d keyframes in four seconds of losses, want one a second", n)
	}
}

func TestPassingOnAllocatesNothing(t *testing.T) {
	b := newBench(t, nil)
	p := newPassThrough(b.Camera, newFake())
	b.out = media.NewFeed[*media.AccessUnit]() // without the recorder
	pts := time.Duration(0)
	units := clipUnits()
	if n := testing.AllocsPerRun(100, func() {
		for _, u := range units {
			pts += time.Millisecond
			if _, err := p.take(picture{data: u.Data, pts: pts}); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for four pictures, want 0", n)
	}
}

func FuzzPassThrough(f *testing.F) {
	f.Add(clipData, uint16(100))
	f.Add(clipData, uint16(5000))
	f.Add(slices.Concat(clipData[:300], []byte{0, 0, 1, 6, 6, 1, 0xc4, 0x80, 0, 0, 1, 0x41, 0x9a, 0x20}), uint16(5000))
	f.Add([]byte{0, 0, 1, 0x67, 0x42, 0, 10, 0xff, 0, 0, 1, 0x65, 0x88}, uint16(7))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		b := newBench(&testing.T{}, nil)
		p := newPassThrough(b.Camera, newFake())
		for c := range slices.Chunk(data, int(size)+1) {
			if _, err := p.take(picture{data: c}); err != nil {
				break
			}
		}
		for i, u := range b.got {
			if a, _ := avc.NextUnit(u.Data); i == 0 && (!u.Key || u.Key != (a.Key || a.Recovers) || avc.SetsIn(u.Data).SPS(u.Data) == nil) || !a.Coded {
				t.Errorf("published %v", kinds(u))
			}
		}
	})
}
