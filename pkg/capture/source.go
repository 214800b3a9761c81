package capture

import (
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
)

// A source opens a stream of pictures as often as it takes.
type source interface {
	open() (stream, error)
}

// A stream belongs to the camera's goroutine; only interrupt may come from others.
type stream interface {
	shape() shape
	// grab waits for the next picture, which is valid until the next call. It ends
	// with errInterrupted, for good, after interrupt.
	grab() (picture, error)
	interrupt()
	close() error
}

// A coder is a stream whose H.264 encoder can be controlled.
type coder interface {
	forceKeyframe() error
	setBitrate(bps int) error
}

// picture is one picture as a source has it.
type picture struct {
	data    []byte
	pts     time.Duration // on the capture clock
	lost    int           // pictures that were lost just before it
	damaged bool
}

// shape is the kind of pictures that a stream gives.
type shape struct {
	where    string      // which camera, for people
	coded    bool        // data is H.264; raw is not set
	raw      h264.Source // layout and size of data, and the mirroring that is left to do
	rate     float64     // frames per second
	forceIDR bool        // a coded stream whose encoder makes an IDR when asked
	rests    bool        // capturing may stop while no pictures are wanted
	driven   bool        // a driver was asked for size and rate, and may give others
	// avoidedH264 is set if raw pictures or motion JPEG were wanted instead of H.264; with
	// coded, there are none.
	avoidedH264 bool
	losses      []string // sentences about what was configured and is missing
}

var errInterrupted = errors.New("interrupted")
