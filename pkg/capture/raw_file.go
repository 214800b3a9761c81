package capture

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/camd-project/camd/pkg/capture/h264"
)

// y4m is how a file begins that holds raw pictures (the YUV4MPEG2 format of mjpegtools),
// and y4mFrame how each of them does.
const (
	y4m        = "YUV4MPEG2 "
	y4mFrame   = "FRAME\n"
	maxY4MLine = 256
)

var errY4M = errors.New("no raw pictures of 8 bits in 4:2:0")

// rawFilm is a file of raw pictures that plays in a loop, at the configured rate and in its
// own size. They are encoded like a camera's.
type rawFilm struct {
	cfg           Config
	mapping       mapping
	pacer         *pacer
	width, height int
	start, at     int // of the first picture, and of the next
}

// openRaw reads the head of a file.
func openRaw(cfg Config, m mapping) (*rawFilm, error) {
	end := bytes.IndexByte(m.data[:min(len(m.data), maxY4MLine)], '\n')
	if end < 0 {
		return nil, errY4M
	}
	f := &rawFilm{cfg: cfg, mapping: m, start: end + 1, at: end + 1}
	for _, word := range strings.Fields(string(m.data[len(y4m):end])) {
		switch value := word[1:]; word[0] {
		case 'W':
			f.width, _ = strconv.Atoi(value) // 0 is refused below
		case 'H':
			f.height, _ = strconv.Atoi(value)
		case 'C':
			if value != "420" && value != "420jpeg" && value != "420mpeg2" && value != "420paldv" {
				return nil, fmt.Errorf("colours are %q: %w", value, errY4M)
			}
		}
	}
	if f.width < 32 || f.height < 32 || f.width > 4096 || f.height > 4096 || f.width%2 != 0 || f.height%2 != 0 {
		return nil, fmt.Errorf("size is %dx%d: %w", f.width, f.height, errY4M)
	}
	if _, err := f.next(); err != nil {
		return nil, err
	}
	f.at, f.pacer = f.start, newPacer(float64(cfg.Rate))
	return f, nil
}

// next returns the next picture, after the last one the first.
func (f *rawFilm) next() ([]byte, error) {
	size := f.width * f.height * 3 / 2
	if len(f.mapping.data)-f.at < len(y4mFrame)+size && f.at != f.start {
		f.at = f.start
	}
	data, ok := bytes.CutPrefix(f.mapping.data[f.at:], []byte(y4mFrame))
	if !ok || len(data) < size {
		return nil, fmt.Errorf("at byte %d: %w", f.at, errY4M)
	}
	f.at += len(y4mFrame) + size
	return data[:size], nil
}

func (f *rawFilm) grab() (picture, error) {
	pts, missed, ok := f.pacer.wait()
	if !ok {
		return picture{}, errInterrupted
	}
	for range missed { // they were due meanwhile
		if _, err := f.next(); err != nil {
			return picture{}, err
		}
	}
	data, err := f.next()
	return picture{data: data, pts: pts}, err
}

func (f *rawFilm) interrupt() { f.pacer.interrupt() }

func (f *rawFilm) close() error { return f.mapping.close() }

func (f *rawFilm) shape() shape {
	c := f.cfg
	return shape{
		where: "file " + c.File, rate: float64(c.Rate), rests: true,
		raw: h264.Source{Layout: h264.I420, Width: f.width, Height: f.height, FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical},
	}
}
