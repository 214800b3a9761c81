//go:build cgo

package capture

import (
	"errors"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/media"
)

func TestEncodingAllocatesNothing(t *testing.T) {
	b := newBench(t, nil)
	b.out = media.NewFeed[*media.AccessUnit]() // without the recorder
	defer b.out.Want()()
	cfg := testConfig()
	d, err := syntheticSource{cfg}.open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEncode(b.Camera, d.shape())
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	draw, n := d.(*drawing), 0
	step := func() {
		n++
		draw.draw(n, time.Unix(int64(n), 0))
		if _, err := e.take(picture{data: draw.buf, pts: time.Duration(n) * 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	step() // starts the encoder
	if got := testing.AllocsPerRun(15, step); got > 0 {
		t.Errorf("%v allocations for each picture, want none", got)
	}
}

func TestDamagedRawPicturesAreDropped(t *testing.T) {
	b := newBench(t, nil)
	defer b.out.Want()()
	d, err := syntheticSource{testConfig()}.open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEncode(b.Camera, d.shape())
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	buf, pts := d.(*drawing).buf, time.Duration(0)
	for name, c := range map[string]struct {
		p    picture
		good bool
	}{
		"by the driver's flag": {picture{data: buf, damaged: true}, false},
		"too short":            {picture{data: buf[:100]}, false},
		"whole":                {picture{data: buf}, true},
	} {
		pts += 100 * time.Millisecond
		c.p.pts = pts
		if good, err := e.take(c.p); good != c.good || err != nil && !errors.Is(err, h264.ErrDamaged) {
			t.Errorf("%s: good %v, %v", name, good, err)
		}
	}
	if len(b.got) != 1 || !b.got[0].Key {
		t.Errorf("%d pictures published, want one keyframe", len(b.got))
	}
}

func TestBitrateOfARunningEncoderFollows(t *testing.T) {
	b := newBench(t, nil)
	defer b.out.Want()()
	d, err := syntheticSource{testConfig()}.open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEncode(b.Camera, d.shape())
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	pts := time.Duration(0)
	for ask, want := range map[int]int{300_000: 300_000, 0: 1_500_000, 700_000: 700_000} {
		b.SetBitrate(ask)
		pts += 100 * time.Millisecond
		if _, err := e.take(picture{data: d.(*drawing).buf, pts: pts}); err != nil || e.main.bitrate != want {
			t.Errorf("SetBitrate(%d): encoder at %d, %v, want %d", ask, e.main.bitrate, err, want)
		}
	}
}
