//go:build cgo

package capture

import (
	"testing"
	"time"
)

// A source that rests is woken for the one picture, and no encoder is started for it.
func TestPictureOfARestingSource(t *testing.T) {
	b := newBench(t, nil)
	cfg := testConfig()
	cfg.Width, cfg.Height = 320, 176
	b.cfg, b.source = cfg, syntheticSource{cfg}
	b.run(t)
	var stills [2][]byte
	for i := range stills {
		var err error
		if stills[i], _, err = b.Picture(t.Context()); err != nil {
			t.Errorf("Picture() = %v", err)
		}
	}
	b.end()
	for _, data := range stills {
		m := decodeJPEG(t, data, 320, 176)
		bars := map[[3]uint8]bool{}
		for x := range 320 {
			c := rgba(m, x, 170)
			bars[[3]uint8{c.R / 64, c.G / 64, c.B / 64}] = true
		}
		if len(bars) < 7 {
			t.Errorf("the picture shows %d colours of 8 bars", len(bars))
		}
	}
	if len(b.got) != 0 {
		t.Errorf("%d pictures were encoded though nobody wanted any", len(b.got))
	}
}

// While somebody watches, the picture costs the others none of theirs.
func TestPictureOfARunningEncoder(t *testing.T) {
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
	to := make(chan snapshot, 1)
	b.snapshotRequests <- to
	draw := d.(*drawing)
	draw.draw(1, time.Unix(1, 0))
	if good, err := e.take(picture{data: draw.buf}); !good || err != nil || len(b.got) != 1 {
		t.Fatalf("good %v, %v, %d published", good, err, len(b.got))
	}
	s := <-to
	if s.raw == nil || &s.raw.Y[0] == &draw.buf[0] || s.raw.Y[64*40] != draw.buf[64*40] {
		t.Error("what was handed over is no copy of the encoder's input")
	}
}
