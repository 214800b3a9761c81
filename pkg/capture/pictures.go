package capture

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
)

// picturesSource shows the PNG pictures of a folder in grey, one after the other, as if
// somebody held them in front of the camera: codes, for tests and demonstrations. What is
// put into the folder meanwhile is shown in its turn; an empty one is a grey wall.
type picturesSource struct{ cfg Config }

// Each picture is shown for so long, in the middle of wall.
const (
	pictureTime = 400 * time.Millisecond
	wall        = 100
	mostPixels  = 4096 * 4096
)

func (s picturesSource) open() (stream, error) {
	if _, err := os.ReadDir(s.cfg.File); err != nil {
		return nil, &fault{fmt.Sprintf("The folder %s can't be read: check file in the configuration.", s.cfg.File), err}
	}
	w, h := s.cfg.Width, s.cfg.Height
	sl := &slides{cfg: s.cfg, pacer: newPacer(float64(s.cfg.Rate)), buf: make([]byte, w*h+2*(w/2)*(h/2))}
	paint(sl.buf, 128) // grey: its luma is painted over
	sl.show(nil)
	return sl, nil
}

// slides is the stream.
type slides struct {
	cfg   Config
	pacer *pacer
	buf   []byte // I420
	last  string // name of the picture that is shown
	left  int    // and how many more times
}

func (s *slides) shape() shape {
	c := s.cfg
	return shape{
		where: "pictures in " + c.File, rate: float64(c.Rate), rests: true,
		raw: h264.Source{Layout: h264.I420, Width: c.Width, Height: c.Height, FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical},
	}
}

func (s *slides) interrupt()   { s.pacer.interrupt() }
func (s *slides) close() error { return nil }

func (s *slides) grab() (picture, error) {
	pts, _, ok := s.pacer.wait()
	if !ok {
		return picture{}, errInterrupted
	}
	if s.left--; s.left < 0 {
		s.left = max(int(pictureTime.Seconds()*float64(s.cfg.Rate)+0.5), 1) - 1
		s.show(s.next())
	}
	return picture{data: s.buf, pts: pts}, nil
}

// next reads the picture after the last one; nil if it is none, or not whole yet.
func (s *slides) next() image.Image {
	files, _ := filepath.Glob(filepath.Join(s.cfg.File, "*.png")) // the pattern is a good one
	if len(files) == 0 {
		s.last = ""
		return nil
	}
	i, found := slices.BinarySearch(files, s.last)
	if found {
		i++
	}
	s.last = files[i%len(files)]
	f, err := os.Open(s.last)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // it was only read
	if c, err := png.DecodeConfig(f); err != nil || c.Width*c.Height > mostPixels {
		return nil
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil
	}
	m, err := png.Decode(f)
	if err != nil {
		return nil
	}
	return m
}

// show puts a picture into the middle, as large as it fits, or shows the wall alone.
func (s *slides) show(m image.Image) {
	w, h := s.cfg.Width, s.cfg.Height
	paint(s.buf[:w*h], wall)
	if m == nil {
		return
	}
	from := m.Bounds()
	scale := min(float64(w)/float64(from.Dx()), float64(h)/float64(from.Dy()))
	tw, th := int(float64(from.Dx())*scale), int(float64(from.Dy())*scale)
	left, top := (w-tw)/2, (h-th)/2
	for y := range th {
		row := s.buf[(top+y)*w+left:][:tw]
		for x := range row {
			g, _ := color.GrayModel.Convert(m.At(from.Min.X+x*from.Dx()/tw, from.Min.Y+y*from.Dy()/th)).(color.Gray)
			row[x] = byte(16 + int(g.Y)*219/255) // from the full range to video's
		}
	}
}
