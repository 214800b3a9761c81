package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
)

// A fault is an error with a sentence for people.
type fault struct {
	sentence string
	err      error
}

func (f *fault) Error() string { return fmt.Sprintf("%s (%v)", f.sentence, f.err) }
func (f *fault) Unwrap() error { return f.err }

// Faults that have no error beneath.
var (
	errHung    = errors.New("no picture in time")
	errDamage  = errors.New("only damaged pictures")
	errBFrames = errors.New("B-frames")
	errNoKey   = errors.New("no IDR picture")
)

// explain returns what err means and what to do.
func explain(err error) string {
	if f := (*fault)(nil); errors.As(err, &f) {
		return f.sentence
	}
	for _, known := range []struct {
		cause    error
		sentence string
	}{
		{errBFrames, "The camera's stream holds B-frames, which live video can't use: switch them off, or set format to raw or mjpeg."},
		{errNoKey, "The camera's H.264 holds no keyframe, so nobody can see it: set its keyframe interval to a few seconds, or set format to raw or mjpeg."},
		{h264.ErrNoEncoder, "This camd was built without an H.264 encoder: use a camera that gives H.264, or a camd built with cgo."},
		{h264.ErrSize, "The camera's pictures have a size that can't be encoded: set another width and height."},
		{h264.ErrShort, "The camera's pictures are shorter than the format that its driver names: set another format, width or height."},
		{h264.ErrKind, "The camera's JPEG is of a kind that camd can't decode: set format to raw or h264, or use another camera."},
		{h264.ErrDamaged, "The camera sends only damaged pictures: check its cable and power supply."},
		{v4l2.ErrUnsupported, "This system has no V4L2 cameras: set source to synthetic or file."},
		{v4l2.ErrNoNode, "The kernel has the camera, but /dev has no node for it: mount devtmpfs, let udev make it, or give it to the container."},
		{v4l2.ErrPlanes, "The camera's driver puts a picture into more than one piece of memory: set another format."},
		{v4l2.ErrFormat, "The camera doesn't give the format that it offers: set another format."},
		{syscall.EBUSY, "The camera is in use by another program: end that program."},
		{fs.ErrPermission, "camd may not open the camera: add its user to the group video."},
		{syscall.ENODEV, "The camera was unplugged: plug it in again; camd looks for it every few seconds."},
		{fs.ErrNotExist, "The camera is not there: plug it in, or correct device in the configuration."},
		{syscall.ENOSPC, "The camera's USB bus has no room for this picture: plug it into another port, or lower width, height or rate."},
		{syscall.EIO, "The camera's driver reports an I/O error: check cable and power supply."},
		{syscall.EPROTO, "The camera's driver reports an I/O error: check cable and power supply."},
	} {
		if errors.Is(err, known.cause) {
			return known.sentence
		}
	}
	return "The camera failed; the log has the details. If this stays, unplug it and plug it in again."
}
