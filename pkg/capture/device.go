package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/foreign"
)

// driver is V4L2, or a fake one in tests.
type driver interface {
	Paths() ([]string, error)
	Describe(path string, width, height int) (v4l2.Device, error)
	Prepare(path string, m v4l2.Mode, newest bool) (capturer, error)
}

// capturer is a *v4l2.Stream.
type capturer interface {
	Start() error
	Grab() (v4l2.Frame, error)
	Interrupt()
	Close() error
	Has(c v4l2.Control) bool
	Set(c v4l2.Control, value int) error
	Got() (v4l2.Mode, int)
}

// kernel is the real driver.
type kernel struct{}

func (kernel) Paths() ([]string, error) { return v4l2.Paths() }

func (kernel) Describe(path string, width, height int) (v4l2.Device, error) {
	return v4l2.Describe(path, width, height)
}

func (kernel) Prepare(path string, m v4l2.Mode, newest bool) (capturer, error) {
	s, err := v4l2.Prepare(path, m, newest)
	if err != nil {
		return nil, err // not a nil *Stream in an interface
	}
	return s, nil
}

// deviceSource opens a V4L2 camera, and finds it again by its bus path if its number has
// changed.
type deviceSource struct {
	cfg       Config
	driver    driver
	last      v4l2.Device  // the camera that worked; Bus empty: none yet
	avoidH264 *atomic.Bool // whether other pictures than H.264 are wanted; nil: no
}

func (d *deviceSource) open() (stream, error) {
	dev, mode, err := d.find()
	if err != nil {
		return nil, err
	}
	s, err := d.startWanted(dev, mode)
	if errors.Is(err, syscall.EBUSY) {
		return nil, &fault{fmt.Sprintf("%s (%s) is in use by another program: end that program.", dev.Path, foreign.Name(dev.Name)), err}
	}
	if err != nil {
		return nil, err
	}
	d.last = dev
	return s, nil
}

// startWanted starts a camera in mode or, while H.264 is not wanted, in another of its modes
// if possible.
func (d *deviceSource) startWanted(dev v4l2.Device, mode v4l2.Mode) (stream, error) {
	avoid := d.avoidH264 != nil && d.avoidH264.Load()
	if avoid && mode.Pixel == v4l2.H264 {
		cfg := d.cfg
		cfg.Format = formatNotH264
		if other, ok := choose(dev, cfg); ok {
			if s, err := d.start(dev, other); err == nil {
				s.is.avoidedH264 = true
				return s, nil
			}
		}
	}
	s, err := d.start(dev, mode)
	if err != nil {
		return nil, err
	}
	s.is.avoidedH264 = avoid && s.is.coded
	return s, nil
}

// find returns the camera that worked before or, if it is gone, the configured one.
func (d *deviceSource) find() (v4l2.Device, v4l2.Mode, error) {
	paths, err := d.driver.Paths()
	if err != nil {
		return v4l2.Device{}, v4l2.Mode{}, err
	}
	if p := d.cfg.Device; filepath.IsAbs(p) && !slices.Contains(paths, p) { // perhaps a link, such as those in /dev/v4l/by-id
		paths = append([]string{p}, paths...)
	}
	search := search{want: d.cfg, last: d.last}
	for _, p := range paths {
		dev, err := d.driver.Describe(p, d.cfg.Width, d.cfg.Height)
		search.look(p, dev, err)
	}
	return search.result()
}

// search chooses among devices.
type search struct {
	want Config
	last v4l2.Device

	known, first *candidate // the camera that worked before; the first that fits
	looked       []string   // the devices, for people to read
	cause        error      // the first error that isn't "no camera"
}

type candidate struct {
	device v4l2.Device
	mode   v4l2.Mode
}

func (s *search) look(path string, dev v4l2.Device, err error) {
	if err != nil {
		s.skip(path, dev, err)
		return
	}
	mode, ok := choose(dev, s.want)
	switch {
	case !ok:
		s.looked = append(s.looked, fmt.Sprintf("%s (%s: %s)", path, foreign.Name(dev.Name), unusable(dev)))
		return
	case s.known == nil && s.last.Bus != "" && dev.Bus == s.last.Bus && dev.Index == s.last.Index:
		s.known = &candidate{dev, mode}
	case s.first == nil && s.configured(path, dev):
		s.first = &candidate{dev, mode}
	}
	s.looked = append(s.looked, fmt.Sprintf("%s (%s at %s)", path, foreign.Name(dev.Name), dev.Bus))
}

func (s *search) skip(path string, dev v4l2.Device, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return // it went meanwhile
	}
	why := reason(err)
	if dev.Name != "" {
		why = foreign.Name(dev.Name) + ": " + why
	}
	s.looked = append(s.looked, fmt.Sprintf("%s (%s)", path, why))
	if s.cause == nil && !notCamera(err) {
		s.cause = err
	}
}

// configured reports whether the device is the configured one.
func (s *search) configured(path string, dev v4l2.Device) bool {
	switch want := s.want.Device; {
	case want == deviceAuto:
		return true
	case filepath.IsAbs(want):
		return path == want
	default:
		return dev.Bus == want
	}
}

var errNoCamera = errors.New("no camera")

// maxNamed is how many devices one sentence names: some SoCs have twenty nodes.
const maxNamed = 6

func (s *search) result() (v4l2.Device, v4l2.Mode, error) {
	for _, c := range []*candidate{s.known, s.first} {
		if c != nil {
			return c.device, c.mode, nil
		}
	}
	looked := "there is no device /dev/video*"
	if n := len(s.looked); n > 0 {
		looked = "looked at " + strings.Join(s.looked[:min(n, maxNamed)], ", ")
		if n > maxNamed {
			looked += fmt.Sprintf(" and %d more, which camd check lists", n-maxNamed)
		}
	}
	what, advice := "camera", "plug one in"
	if s.want.Device != deviceAuto {
		what, advice = "camera "+s.want.Device, "plug it in, or set device to auto or to one of these"
	}
	if s.want.Format != FormatAuto {
		what += " with format " + s.want.Format
	}
	cause := s.cause
	if cause == nil {
		cause = errNoCamera
	}
	return v4l2.Device{}, v4l2.Mode{}, &fault{fmt.Sprintf("No %s was found: %s; %s.", what, looked, advice), cause}
}

func (d *deviceSource) start(dev v4l2.Device, mode v4l2.Mode) (*deviceStream, error) {
	coded := mode.Pixel == v4l2.H264
	c, err := d.driver.Prepare(dev.Path, mode, !coded)
	if err != nil {
		return nil, err
	}
	s := &deviceStream{capturer: c}
	s.describe(d.cfg, dev)
	s.mirror(d.cfg)
	if coded {
		s.configureCoder(d.cfg)
	}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return s, nil
}

// deviceStream is a camera that captures.
type deviceStream struct {
	capturer
	is shape
}

func (s *deviceStream) shape() shape { return s.is }
func (s *deviceStream) interrupt()   { s.Interrupt() }
func (s *deviceStream) close() error { return s.Close() }

func (s *deviceStream) grab() (picture, error) {
	f, err := s.Grab()
	if errors.Is(err, v4l2.ErrInterrupted) {
		return picture{}, errInterrupted
	}
	return picture{data: f.Data, pts: f.PTS, lost: f.Lost, damaged: f.Damaged}, err
}

// describe sets the shape by what the driver has set.
func (s *deviceStream) describe(cfg Config, dev v4l2.Device) {
	m, stride := s.Got()
	rate := m.Rate
	if rate <= 0 {
		rate = float64(cfg.Rate) // the driver doesn't say
	}
	var layout h264.Layout
	for _, u := range usable {
		if u.pixel == m.Pixel {
			layout = u.layout
		}
	}
	s.is = shape{
		where: fmt.Sprintf("%s (%s at %s), %s %dx%d", dev.Path, foreign.Name(dev.Name), dev.Bus, m.Pixel, m.Width, m.Height),
		coded: m.Pixel == v4l2.H264,
		raw:   h264.Source{Layout: layout, Width: m.Width, Height: m.Height, Stride: stride},
		rate:  rate, driven: true,
	}
	if layout == h264.MJPEG {
		s.is.raw.Stride = 0
	}
}

// mirror flips pictures by the driver's controls, which costs nothing. If it has none, raw
// pictures are flipped before they are encoded.
func (s *deviceStream) mirror(cfg Config) {
	for _, f := range []struct {
		control v4l2.Control
		want    bool
		left    *bool
		key     string
	}{
		{v4l2.HFlip, cfg.FlipHorizontal, &s.is.raw.FlipHorizontal, "flip_horizontal"},
		{v4l2.VFlip, cfg.FlipVertical, &s.is.raw.FlipVertical, "flip_vertical"},
	} {
		value := 0
		if f.want {
			value = 1
		}
		if err := s.Set(f.control, value); err == nil || !f.want {
			continue
		}
		if s.is.coded {
			s.is.losses = append(s.is.losses, fmt.Sprintf("The camera can't do %s itself, and its H.264 isn't decoded: turn the camera, or set format to raw.", f.key))
			continue
		}
		*f.left = true
	}
}

// configureCoder sets the camera's encoder up for live video. Controls that it lacks are
// skipped, and B-frames are refused when they come.
func (s *deviceStream) configureCoder(cfg Config) {
	interval := max(int(float64(cfg.KeyframeSeconds)*s.is.rate+0.5), 1) // in frames
	for _, c := range []struct {
		control v4l2.Control
		value   int
	}{
		{v4l2.BFrames, 0}, {v4l2.RepeatHeaders, 1}, {v4l2.Bitrate, cfg.bitrate()},
		{v4l2.GOPSize, interval}, {v4l2.IPeriod, interval},
	} {
		_ = s.Set(c.control, c.value) // what is missing shows in the stream
	}
	s.is.forceIDR = s.Has(v4l2.ForceKeyframe)
}

func (s *deviceStream) forceKeyframe() error     { return s.Set(v4l2.ForceKeyframe, 1) }
func (s *deviceStream) setBitrate(bps int) error { return s.Set(v4l2.Bitrate, bps) }
