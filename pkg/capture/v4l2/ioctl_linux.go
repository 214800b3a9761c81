package v4l2

import (
	"errors"
	"unsafe"

	"github.com/blackjack/webcam/ioctl"
	"golang.org/x/sys/unix"
)

// The structures of linux/videodev2.h, laid out by Go as C lays them out on
// 64-bit machines and on 32-bit ARM; a test compares sizes and request numbers
// with those of the C header. On 32-bit ARM struct timeval has 32-bit fields: the
// kernel needs CONFIG_COMPAT_32BIT_TIME.
type (
	capability struct {
		_            [16]byte // driver
		card         [32]byte
		busInfo      [32]byte
		_            uint32 // version
		capabilities uint32 // of the whole hardware
		deviceCaps   uint32 // of this node
		_            [3]uint32
	}
	pixFormat struct {
		width, height, pixelFormat uint32
		_                          uint32 // field
		bytesPerLine               uint32
		_                          [7]uint32 // sizeimage, colorspace and what belongs to it
	}
	planeFormat struct {
		_            uint32 // sizeimage
		bytesPerLine uint32
		_            [6]uint16
	}
	pixFormatMP struct {
		width, height, pixelFormat uint32
		_                          [2]uint32 // field, colorspace
		planes                     [8]planeFormat
		numPlanes                  uint8
		_                          [11]uint8 // flags, and what belongs to colorspace
	}
	format struct {
		kind uint32
		_    [0]uintptr // the union holds pointers, so it is aligned as one
		fmt  pixFormat
		_    [200 - unsafe.Sizeof(pixFormat{})]byte
	}
	formatMP struct {
		kind uint32
		_    [0]uintptr
		fmt  pixFormatMP
		_    [200 - unsafe.Sizeof(pixFormatMP{})]byte
	}
	formatDesc struct {
		index, kind uint32
		_           uint32 // flags
		description [32]byte
		pixelFormat uint32
		_           [4]uint32 // mbus_code
	}
	frameSize struct {
		index, pixelFormat, kind uint32
		size                     [6]uint32 // width, height; or min, max and step of both
		_                        [2]uint32
	}
	frameInterval struct {
		index, pixelFormat, width, height, kind uint32
		interval                                [3]fract // one, or the shortest, the longest and a step
		_                                       [2]uint32
	}
	fract      struct{ numerator, denominator uint32 }
	streamParm struct {
		kind         uint32
		capability   uint32
		_            uint32 // capturemode
		timePerFrame fract
		_            [200 - 16]byte
	}
	requestBuffers struct {
		count, kind, memory uint32
		_                   [2]uint32 // capabilities, flags
	}
	buffer struct {
		index, kind, bytesUsed, flags uint32
		_                             uint32 // field
		timestamp                     unix.Timeval
		_                             [4]uint32 // timecode
		sequence, memory              uint32
		offset                        uintptr   // a union of offset, descriptor, and pointer to planes
		length                        uint32    // or the number of planes
		_                             [2]uint32 // reserved2, request_fd
	}
	plane struct {
		bytesUsed, length uint32
		offset            uintptr // a union as above
		dataOffset        uint32
		_                 [11]uint32
	}
	control struct {
		id    uint32
		value int32
	}
	queryControl struct {
		id       uint32
		_        uint32   // type
		_        [32]byte // name
		min, max int32
		_        [2]int32 // step, default
		flags    uint32
		_        [2]uint32
	}
)

const (
	capVideoCapture   = 0x00000001
	capVideoOutput    = 0x00000002
	capVideoCaptureMP = 0x00001000
	capVideoOutputMP  = 0x00002000
	capM2MMP          = 0x00004000
	capM2M            = 0x00008000
	capMetaCapture    = 0x00800000
	capStreaming      = 0x04000000
	capMetaOutput     = 0x08000000
	capDeviceCaps     = 0x80000000

	kindVideoCapture   = 1
	kindVideoCaptureMP = 9
	memoryMmap         = 1

	discrete = 1 // a frameSize or frameInterval that is no range

	flagError         = 0x0040
	flagTimestampMask = 0xe000
	flagMonotonic     = 0x2000

	controlDisabled = 0x0001
)

// Requests of linux/videodev2.h.
var (
	vidiocQueryCap           = ioctl.IoR('V', 0, unsafe.Sizeof(capability{}))
	vidiocEnumFmt            = ioctl.IoRW('V', 2, unsafe.Sizeof(formatDesc{}))
	vidiocGFmt               = ioctl.IoRW('V', 4, unsafe.Sizeof(format{})) // of formatMP too
	vidiocSFmt               = ioctl.IoRW('V', 5, unsafe.Sizeof(format{}))
	vidiocReqBufs            = ioctl.IoRW('V', 8, unsafe.Sizeof(requestBuffers{}))
	vidiocQueryBuf           = ioctl.IoRW('V', 9, unsafe.Sizeof(buffer{}))
	vidiocQBuf               = ioctl.IoRW('V', 15, unsafe.Sizeof(buffer{}))
	vidiocDQBuf              = ioctl.IoRW('V', 17, unsafe.Sizeof(buffer{}))
	vidiocStreamOn           = ioctl.IoW('V', 18, unsafe.Sizeof(uint32(0)))
	vidiocStreamOff          = ioctl.IoW('V', 19, unsafe.Sizeof(uint32(0)))
	vidiocGParm              = ioctl.IoRW('V', 21, unsafe.Sizeof(streamParm{}))
	vidiocSParm              = ioctl.IoRW('V', 22, unsafe.Sizeof(streamParm{}))
	vidiocSCtrl              = ioctl.IoRW('V', 28, unsafe.Sizeof(control{}))
	vidiocQueryCtrl          = ioctl.IoRW('V', 36, unsafe.Sizeof(queryControl{}))
	vidiocEnumFrameSizes     = ioctl.IoRW('V', 74, unsafe.Sizeof(frameSize{}))
	vidiocEnumFrameIntervals = ioctl.IoRW('V', 75, unsafe.Sizeof(frameInterval{}))
)

// call is ioctl(2) on a pointer, tried again when a signal came between. The
// conversion to uintptr stands in the call itself, as package unsafe demands.
func call[T any](fd int, request uintptr, arg *T) error {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))) //nolint:gosec // this is how ioctl takes it
		switch {
		case e == 0:
			return nil
		case !errors.Is(e, unix.EINTR):
			return e
		}
	}
}

func cString(b []byte) string { return unix.ByteSliceToString(b) }
