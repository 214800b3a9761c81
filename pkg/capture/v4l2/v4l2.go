// Package v4l2 captures from one video device of the Linux kernel (Video for
// Linux 2, https://docs.kernel.org/userspace-api/media/v4l/v4l2.html).
//
// It is own code on x/sys/unix, because camd needs the driver's time stamps, sequence
// numbers and error flags, the format that the driver really set, device_caps,
// O_CLOEXEC, devices of the multi-planar API, and a wait that can be interrupted and
// costs no thread. Of the multi-planar API, which many SoCs' drivers speak only,
// formats whose picture lies in one piece of memory can be used.
//
// It decides nothing: which device, which format and what to do about an error is
// its caller's. A Stream belongs to one goroutine, Interrupt excepted, and ends
// with Close. Only Linux has such devices; elsewhere everything is ErrUnsupported.
package v4l2

import (
	"errors"
	"time"
)

// PixelFormat is a four-character code.
type PixelFormat uint32

// The formats that camd can use (https://docs.kernel.org/userspace-api/media/v4l/pixfmt.html).
const (
	H264  PixelFormat = 'H' | '2'<<8 | '6'<<16 | '4'<<24 // access units in Annex B form
	MJPEG PixelFormat = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24
	JPEG  PixelFormat = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24
	YUYV  PixelFormat = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // 4:2:2 packed
	UYVY  PixelFormat = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // 4:2:2 packed
	NV12  PixelFormat = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, chroma interleaved
	YU12  PixelFormat = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0, three planes (I420)
)

// String gives the four characters; what can't be printed becomes a dot.
func (p PixelFormat) String() string {
	b := [4]byte{byte(p), byte(p >> 8), byte(p >> 16), byte(p >> 24)} //nolint:gosec // the four bytes are meant
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '.'
		}
	}
	return string(b[:])
}

// Device tells where a capture node is and what it gives.
type Device struct {
	Path        string // /dev/video0; changes when devices come and go
	Name        string
	Bus         string // bus path, such as usb-0000:01:00.0-1: the same after a replug into the same port
	Index       int    // which of the nodes of one piece of hardware this is, -1 if unknown
	Multiplanar bool   // speaks only the multi-planar API
	Formats     []Format
}

// Format is one pixel format that a device offers, with its sizes.
type Format struct {
	Pixel       PixelFormat
	Description string // the driver's
	Sizes       []Size
}

// Size is a frame size or, where Min and Max differ, a range of them.
type Size struct {
	MinWidth, MaxWidth, StepWidth    int
	MinHeight, MaxHeight, StepHeight int
	Rates                            []float64 // frames per second at the largest size, or at Config's where it fits; nil if the driver doesn't say
}

// Mode is a format, size and rate to ask for.
type Mode struct {
	Pixel         PixelFormat
	Width, Height int
	Rate          float64 // frames per second, 0 for unknown
}

// Frame is one captured buffer, as the driver gave it. Data is the driver's
// memory: it is valid until the next Grab.
type Frame struct {
	Data    []byte
	PTS     time.Duration // on the capture clock (media.Now)
	Lost    int           // frames that the driver dropped just before this one
	Damaged bool          // the driver says that Data is incomplete (V4L2_BUF_FLAG_ERROR)
}

// Errors of this package. What the kernel says otherwise is wrapped as its errno.
var (
	ErrUnsupported = errors.New("there is no Video4Linux on this system")
	ErrNoControl   = errors.New("the driver has no such control")
	ErrNoNode      = errors.New("the kernel has the device, and /dev has no node for it")
	ErrFormat      = errors.New("the driver refuses the format")
	ErrPlanes      = errors.New("a picture lies in more than one piece of memory")
	ErrInterrupted = errors.New("interrupted")
)

// NotCamera is the error for a node that captures no pictures: what it is instead, in
// a few words.
type NotCamera string

func (n NotCamera) Error() string { return "no camera: " + string(n) }

// Control identifies a driver's control (linux/v4l2-controls.h).
type Control uint32

// Controls that camd sets where they exist.
const (
	HFlip         Control = 0x00980900 + 20
	VFlip         Control = 0x00980900 + 21
	BFrames       Control = 0x00990900 + 202
	GOPSize       Control = 0x00990900 + 203 // frames
	Bitrate       Control = 0x00990900 + 207 // bit/s
	RepeatHeaders Control = 0x00990900 + 226 // parameter sets before each IDR
	ForceKeyframe Control = 0x00990900 + 229 // a button
	IPeriod       Control = 0x00990900 + 358 // frames
)
