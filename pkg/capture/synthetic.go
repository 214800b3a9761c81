package capture

import (
	"fmt"
	"image"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/pkg/media"
)

// syntheticSource draws its pictures: moving colour bars, a bouncing box, the wall clock in
// digits and, along the top edge, the number of the picture as pkg/capture/strip writes it.
// They are handled like a camera's raw pictures.
type syntheticSource struct{ cfg Config }

func (s syntheticSource) open() (stream, error) {
	w, h := s.cfg.Width, s.cfg.Height
	d := &drawing{
		cfg: s.cfg, pacer: newPacer(float64(s.cfg.Rate)), buf: make([]byte, w*h+2*(w/2)*(h/2)),
		bars: make([][3]byte, w), top: strip.Height(w),
	}
	d.picture = image.YCbCr{
		Y: d.buf[:w*h], Cb: d.buf[w*h:][:w*h/4], Cr: d.buf[w*h+w*h/4:], YStride: w, CStride: w / 2,
		Rect: image.Rect(0, 0, w, h), SubsampleRatio: image.YCbCrSubsampleRatio420,
	}
	return d, nil
}

// drawing is the synthetic stream.
type drawing struct {
	cfg     Config
	pacer   *pacer
	buf     []byte // I420
	picture image.YCbCr
	bars    [][3]byte // colour of each column
	top     int       // lines of the strip
	n       int       // number of the picture
}

func (d *drawing) shape() shape {
	c := d.cfg
	return shape{
		where: fmt.Sprintf("synthetic %dx%d", c.Width, c.Height), rate: float64(c.Rate), rests: true,
		raw: h264.Source{Layout: h264.I420, Width: c.Width, Height: c.Height, FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical},
	}
}

func (d *drawing) interrupt() { d.pacer.interrupt() }

func (d *drawing) close() error { return nil }

func (d *drawing) grab() (picture, error) {
	pts, missed, ok := d.pacer.wait()
	if !ok {
		return picture{}, errInterrupted
	}
	d.draw(d.n, media.Wall(pts))
	d.n += 1 + missed
	return picture{data: d.buf, pts: pts}, nil // missed ones were never drawn, not lost
}

func (d *drawing) draw(n int, clock time.Time) {
	d.background(n)
	w, h := d.cfg.Width, d.cfg.Height
	side := max(h/8&^1, 8)
	d.box(image.Rect(0, 0, side, side).Add(image.Pt(bounce(5*n, w-side), d.top+bounce(3*n, h-d.top-side))), [3]byte{200, 90, 200})
	d.digits(clock)
	strip.Write(&d.picture, uint32(n)) //nolint:gosec // the strip shows its low bits
}

// bounce moves between 0 and limit and back, on even numbers.
func bounce(n, limit int) int {
	if limit <= 0 {
		return 0
	}
	n %= 2 * limit
	if n > limit {
		n = 2*limit - n
	}
	return n &^ 1
}

// Colours of 75 % bars, in BT.601.
var barColours = [8][3]byte{
	{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114}, {16, 128, 128},
}

// background draws one line of luma and one of chroma, and repeats them.
func (d *drawing) background(n int) {
	w, m := d.cfg.Width, &d.picture
	for x := range d.bars {
		d.bars[x] = barColours[(x+2*n)*len(barColours)/w%len(barColours)]
		m.Y[d.top*m.YStride+x] = d.bars[x][0]
	}
	for x := range w / 2 {
		m.Cb[d.top/2*m.CStride+x], m.Cr[d.top/2*m.CStride+x] = d.bars[2*x][1], d.bars[2*x][2]
	}
	repeat(m.Y, m.YStride, d.top)
	repeat(m.Cb, m.CStride, d.top/2)
	repeat(m.Cr, m.CStride, d.top/2)
}

// repeat copies a line into all lines below it.
func repeat(plane []byte, stride, line int) {
	row := plane[line*stride:][:stride]
	for at := (line + 1) * stride; at < len(plane); at += stride {
		copy(plane[at:], row)
	}
}

// box fills a rectangle, cut to the picture, with a colour.
func (d *drawing) box(r image.Rectangle, c [3]byte) {
	m := &d.picture
	r = r.Intersect(m.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		paint(m.Y[y*m.YStride:][r.Min.X:r.Max.X], c[0])
	}
	for y := r.Min.Y / 2; y < r.Max.Y/2; y++ {
		paint(m.Cb[y*m.CStride:][r.Min.X/2:r.Max.X/2], c[1])
		paint(m.Cr[y*m.CStride:][r.Min.X/2:r.Max.X/2], c[2])
	}
}

func paint(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
