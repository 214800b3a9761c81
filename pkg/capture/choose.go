package capture

import (
	"cmp"
	"math"
	"slices"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
)

// usable lists the pixel formats that camd can use, best first: H.264 needs no encoder, some
// raw formats need no conversion, and decoding JPEG costs most.
var usable = []struct {
	pixel  v4l2.PixelFormat
	config string      // the value of Config.Format that allows it
	layout h264.Layout // 0 for H.264
}{
	{v4l2.H264, FormatH264, 0},
	{v4l2.YU12, FormatRaw, h264.I420},
	{v4l2.NV12, FormatRaw, h264.NV12},
	{v4l2.YUYV, FormatRaw, h264.YUYV},
	{v4l2.UYVY, FormatRaw, h264.UYVY},
	{v4l2.MJPEG, FormatMJPEG, h264.MJPEG},
	{v4l2.JPEG, FormatMJPEG, h264.MJPEG},
}

// choose returns the mode nearest to the configuration: by size, then by rate, then by the
// order of formats. ok is false if no format can be used.
func choose(d v4l2.Device, cfg Config) (m v4l2.Mode, ok bool) {
	var all []v4l2.Mode
	for _, u := range usable {
		allowed := cfg.Format == FormatAuto || cfg.Format == u.config || cfg.Format == formatNotH264 && u.config != FormatH264
		if !allowed {
			continue
		}
		for _, f := range d.Formats {
			if f.Pixel == u.pixel {
				all = append(all, modes(f, cfg)...)
			}
		}
	}
	if len(all) == 0 {
		return v4l2.Mode{}, false
	}
	return slices.MinFunc(all, func(a, b v4l2.Mode) int { // the first of equals, so the order above decides
		return cmp.Or(
			cmp.Compare(sizeGap(a, cfg), sizeGap(b, cfg)),
			cmp.Compare(rateGap(a, cfg), rateGap(b, cfg)),
		)
	}), true
}

// formatNotH264 is every format but H.264. It can't be configured.
const formatNotH264 = "not h264"

// modes returns one mode for each size of a format, with the best rate.
func modes(f v4l2.Format, cfg Config) (l []v4l2.Mode) {
	for _, s := range f.Sizes {
		m := v4l2.Mode{Pixel: f.Pixel, Rate: bestRate(s.Rates, float64(cfg.Rate))}
		m.Width, m.Height = s.Nearest(cfg.Width, cfg.Height)
		l = append(l, m)
	}
	if len(f.Sizes) == 0 { // a driver that doesn't list sizes is asked and its answer checked
		l = append(l, v4l2.Mode{Pixel: f.Pixel, Width: cfg.Width, Height: cfg.Height, Rate: float64(cfg.Rate)})
	}
	return l
}

// bestRate returns the lowest rate that reaches the wanted one, or the highest; or the
// wanted one if the driver lists none.
func bestRate(rates []float64, want float64) float64 {
	best := 0.0
	for _, r := range rates { // in rising order
		if best = r; reaches(r, want) {
			break
		}
	}
	if best == 0 {
		return want
	}
	return best
}

// rateSlack lets 29.97 pass for 30.
const rateSlack = 0.02

func reaches(rate, want float64) bool { return rate >= want*(1-rateSlack) }

func sizeGap(m v4l2.Mode, cfg Config) float64 {
	return math.Abs(float64(m.Width-cfg.Width)) + math.Abs(float64(m.Height-cfg.Height))
}

func rateGap(m v4l2.Mode, cfg Config) float64 {
	if reaches(m.Rate, float64(cfg.Rate)) {
		return 0
	}
	return float64(cfg.Rate) - m.Rate
}
