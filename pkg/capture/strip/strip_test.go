package strip

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

func TestNumberSurvivesCompression(t *testing.T) {
	for _, size := range []image.Point{{160, 96}, {320, 180}, {640, 360}, {1280, 720}} {
		for _, n := range []uint32{0, 0xabcdef, Max} {
			m := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420)
			Write(m, n)
			var b bytes.Buffer
			if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 20}); err != nil {
				t.Fatal(err)
			}
			out, err := jpeg.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := Read(out.(*image.YCbCr)); !ok || got != n {
				t.Errorf("%v: read %#x, %v, want %#x", size, got, ok, n)
			}
		}
	}
}

func TestReadRefusesDoubt(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 320, 180), image.YCbCrSubsampleRatio420)
	if n, ok := Read(m); ok {
		t.Errorf("read %d from a blank picture", n)
	}
	Write(m, 77)
	for block := range blocks {
		for name, v := range map[string]byte{"grey": grey, "turned": 251 - m.Y[block*10]} {
			c := image.NewYCbCr(m.Rect, m.SubsampleRatio)
			copy(c.Y, m.Y)
			for y := range Height(320) {
				fill(c.Y[y*c.YStride+block*10:][:10], v)
			}
			if n, ok := Read(c); ok {
				t.Errorf("read %d though block %d is %s", n, block, name)
			}
		}
	}
	for _, r := range []image.Rectangle{{}, image.Rect(0, 0, 100, 100), image.Rect(0, 0, 320, 8)} {
		if _, ok := Read(image.NewYCbCr(r, image.YCbCrSubsampleRatio420)); ok {
			t.Errorf("read a picture of %v", r)
		}
	}
}
