//go:build cgo

package h264

import (
	"fmt"
	"image"
	"math/rand/v2"
	"testing"
)

// wall is a still texture like that of a room, larger than the pictures, seen by a sensor
// with noise.
type wall struct {
	texture []byte
	stride  int
	noise   []int8
	r       *rand.Rand
	m       *image.YCbCr
}

// newWall adds up grids of random values, the finer the weaker.
func newWall(size image.Point, noise int) *wall {
	w, h := 2*size.X, size.Y
	r, sum := rand.New(rand.NewPCG(1, 9)), make([]int, w*h)
	for step, weight := 256, 70; step >= 2; step, weight = step/2, weight*6/10 {
		gw := w/step + 2
		grid := make([]int, gw*(h/step+2))
		for i := range grid {
			grid[i] = r.IntN(2*weight+1) - weight
		}
		for i := range sum {
			x, y := i%w, i/w
			dx, dy, at := x%step, y%step, y/step*gw+x/step
			top := grid[at]*(step-dx) + grid[at+1]*dx
			bottom := grid[at+gw]*(step-dx) + grid[at+gw+1]*dx
			sum[i] += (top*(step-dy) + bottom*dy) / (step * step)
		}
	}
	texture := make([]byte, len(sum))
	for i, v := range sum {
		texture[i] = byte(min(max(128+v, 20), 235))
	}
	grain := make([]int8, 1<<16)
	for i := range grain {
		grain[i] = int8(r.IntN(2*noise+1) - noise)
	}
	return &wall{texture, w, grain, r, image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420)}
}

// look returns the picture from x on.
func (s *wall) look(x int) *image.YCbCr {
	w := s.m.YStride
	for y := range s.m.Rect.Dy() {
		row, seen := s.m.Y[y*w:][:w], s.texture[y*s.stride+x:]
		grain := s.noise[s.r.IntN(len(s.noise)-w):]
		for i := range row {
			row[i] = byte(int(seen[i]) + int(grain[i])) // a texture from 20 to 235
		}
	}
	return s.m
}

// The largest frames, in mean frames at the bitrate that is set.
const (
	mostOfKey = 8
	mostOfCut = 6 // the first picture of another scene
)

// Whatever the bitrate, no frame takes the path for long.
func TestTheSizeOfOneFrameIsBounded(t *testing.T) {
	for _, size := range []image.Point{{640, 360}, {1280, 720}} {
		for _, noise := range []int{2, 6} {
			s := newWall(size, noise)
			for _, kbps := range []int{300, 1000, 3000} {
				t.Run(fmt.Sprintf("%v, noise %d, %d kbps", size, noise, kbps), func(t *testing.T) {
					bounded(t, s, kbps)
				})
			}
		}
	}
}

// bounded looks at a scene with two key frames, and then at another one.
func bounded(t *testing.T, s *wall, kbps int) {
	const rate, cut, end = 15, 40, 50
	size := s.m.Rect.Size()
	e := start(t, Config{Width: size.X, Height: size.Y, Rate: rate, Bitrate: kbps * 1000})
	mean, missing := float64(kbps)*1000/8/rate, 0
	for i := range end {
		x, ask, most := 0, i == 20 || i == 38, 2.0
		if i >= cut {
			x = size.X
		}
		switch {
		case i == 0 || ask:
			most = mostOfKey
		case i == cut:
			most = mostOfCut
		}
		u := encode(t, e, s.look(x), ask)
		if got := float64(len(u.Data)) / mean; got > most {
			t.Errorf("picture %d has %.1f times the mean, want at most %v", i, got, most)
		}
		if u.Key != (ask || i == 0) {
			t.Errorf("picture %d: IDR %v, want %v", i, u.Key, ask || i == 0)
		}
		if missing++; u.Coded {
			missing = 0
		}
		if missing > 2 {
			t.Errorf("%d pictures are missing up to %d, want at most 2 in a row", missing, i)
		}
	}
}
