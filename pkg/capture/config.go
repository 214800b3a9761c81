package capture

import (
	"errors"
	"fmt"
)

// Config says which pictures to capture.
type Config struct {
	Source          string `toml:"source" allow:"v4l2|synthetic|file|pictures" doc:"Where pictures come from: a camera, a test pattern, a file in a loop, or a folder of PNG pictures."`
	Device          string `toml:"device" doc:"Camera: auto, a /dev path, or a bus path such as usb-0000:01:00.0-1, which stays when numbers change."`
	File            string `toml:"file" doc:"Path of the file for the source file, H.264 (Annex B) or raw pictures (YUV4MPEG2), or of the folder for the source pictures."`
	Format          string `toml:"format" allow:"auto|h264|raw|mjpeg" doc:"What to ask the camera for; auto takes what reaches size and rate, in this order."`
	Width           int    `toml:"width" allow:"32..4096" doc:"Wanted picture width in pixels, even."`
	Height          int    `toml:"height" allow:"32..4096" doc:"Wanted picture height in pixels, even."`
	Rate            int    `toml:"rate" allow:"1..120" doc:"Wanted frames per second."`
	BitrateKbps     int    `toml:"bitrate_kbps" allow:"50..50000" doc:"Highest video bitrate in kbit/s. Our own encoder makes 16800 at most."`
	KeyframeSeconds int    `toml:"keyframe_seconds" allow:"1..60" doc:"Longest time between two keyframes."`
	FlipHorizontal  bool   `toml:"flip_horizontal" doc:"Mirror left and right."`
	FlipVertical    bool   `toml:"flip_vertical" doc:"Mirror top and bottom."`
	Low             Low    `toml:"low" doc:"A second stream of the same pictures, with fewer bits, for viewers with a slow connection. It is encoded only while somebody needs it. A camera that gives H.264 itself has none."`
}

// Low configures the second stream.
type Low struct {
	Enabled     bool `toml:"enabled" doc:"Whether there is a second stream. There is none either if its bitrate is not less than the one in [capture]."`
	Height      int  `toml:"height" allow:"90..1080" doc:"Most lines of its pictures, which keep their shape and are never enlarged."`
	Rate        int  `toml:"rate" allow:"1..60" doc:"Most frames per second."`
	BitrateKbps int  `toml:"bitrate_kbps" allow:"50..5000" doc:"Highest bitrate in kbit/s."`
}

// Values of Config.Source and Config.Format.
const (
	SourceV4L2      = "v4l2"
	SourceSynthetic = "synthetic"
	SourceFile      = "file"
	SourcePictures  = "pictures"

	FormatAuto  = "auto"
	FormatH264  = "h264"
	FormatRaw   = "raw"
	FormatMJPEG = "mjpeg"

	deviceAuto = "auto"
)

// DefaultConfig returns the default values: a camera that is found automatically.
func DefaultConfig() Config {
	return Config{
		Source: SourceV4L2, Device: deviceAuto, Format: FormatAuto,
		Width: 1280, Height: 720, Rate: 15, BitrateKbps: 1500, KeyframeSeconds: 2,
		Low: Low{Enabled: true, Height: 360, Rate: 15, BitrateKbps: 400},
	}
}

// errConfig is for errors across fields; single values are restricted by their allow tags.
var errConfig = errors.New("capture configuration")

func (c Config) check() error {
	switch {
	case c.Width < 32 || c.Height < 32 || c.Rate < 1 || c.BitrateKbps < 1 || c.KeyframeSeconds < 1:
		return fmt.Errorf("%w: width, height, rate, bitrate_kbps and keyframe_seconds must be set", errConfig)
	case c.Low.Enabled && (c.Low.Height < 1 || c.Low.Rate < 1 || c.Low.BitrateKbps < 1):
		return fmt.Errorf("%w: low.height, low.rate and low.bitrate_kbps must be set", errConfig)
	case c.Width%2 != 0 || c.Height%2 != 0:
		return fmt.Errorf("%w: width and height must be even, not %dx%d", errConfig, c.Width, c.Height)
	case c.Source == SourceFile && c.File == "":
		return fmt.Errorf("%w: source = %q needs file, the path of an H.264 file", errConfig, SourceFile)
	case c.Source == SourcePictures && c.File == "":
		return fmt.Errorf("%w: source = %q needs file, the path of a folder with PNG pictures", errConfig, SourcePictures)
	case c.Source == SourceV4L2 && c.Device == "":
		return fmt.Errorf("%w: device must be auto, a /dev path or a bus path", errConfig)
	}
	return nil
}

func (c Config) bitrate() int { return c.BitrateKbps * 1000 }

// hasLow reports whether a second stream is worth encoding.
func (c Config) hasLow() bool { return c.Low.Enabled && c.Low.BitrateKbps < c.BitrateKbps }

func (l Low) bitrate() int { return l.BitrateKbps * 1000 }
