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
	format struct {
		kind uint32
		_    [0]uintptr // the union holds pointers, so it is aligned as one
		fmt  pixFormat
		_    [200 - unsafe.Sizeof(pixFormat{})]byte
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
		offset                        uintptr // a union of offset, pointer and descriptor
		length                        uint32
		_                             [2]uint32 // reserved2, request_fd
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
	capVideoCapture = 0x00000001
	capStreaming    = 0x04000000
	capDeviceCaps   = 0x80000000

	kindVideoCapture = 1
	memoryMmap       = 1

	flagError         = 0x0040
	flagTimestampMask = 0xe000
	flagMonotonic     = 0x2000

	controlDisabled = 0x0001
)

var (
	vidiocQueryCap  = ioctl.IoR('V', 0, unsafe.Sizeof(capability{}))
	vidiocGFmt      = ioctl.IoRW('V', 4, unsafe.Sizeof(format{}))
	vidiocSFmt      = ioctl.IoRW('V', 5, unsafe.Sizeof(format{}))
	vidiocReqBufs   = ioctl.IoRW('V', 8, unsafe.Sizeof(requestBuffers{}))
	vidiocQueryBuf  = ioctl.IoRW('V', 9, unsafe.Sizeof(buffer{}))
	vidiocQBuf      = ioctl.IoRW('V', 15, unsafe.Sizeof(buffer{}))
	vidiocDQBuf     = ioctl.IoRW('V', 17, unsafe.Sizeof(buffer{}))
	vidiocStreamOn  = ioctl.IoW('V', 18, unsafe.Sizeof(uint32(0)))
	vidiocStreamOff = ioctl.IoW('V', 19, unsafe.Sizeof(uint32(0)))
	vidiocGParm     = ioctl.IoRW('V', 21, unsafe.Sizeof(streamParm{}))
	vidiocSParm     = ioctl.IoRW('V', 22, unsafe.Sizeof(streamParm{}))
	vidiocSCtrl     = ioctl.IoRW('V', 28, unsafe.Sizeof(control{}))
	vidiocQueryCtrl = ioctl.IoRW('V', 36, unsafe.Sizeof(queryControl{}))
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
