package alsa

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structs of include/uapi/sound/asound.h. Its "unsigned long" is Go's uint on
// every Linux: four bytes on 32-bit ARM, eight on 64-bit.

// mask is struct snd_mask: a set of small numbers.
type mask [8]uint32

// interval is struct snd_interval. With no flag both ends belong to it.
type interval struct{ min, max, flags uint32 }

// intervalInteger says that only whole numbers are meant (bit 2 of the flags).
const intervalInteger = 1 << 2

// hwParams is struct snd_pcm_hw_params: a set of configurations, which
// HW_REFINE narrows to what the card can do, and HW_PARAMS to one.
type hwParams struct {
	flags            uint32
	masks            [8]mask      // 3 used
	intervals        [21]interval // 12 used
	rmask, cmask     uint32
	info, msbits     uint32
	rateNum, rateDen uint32
	fifoSize         uint
	_                [64]byte
}

// swParams is struct snd_pcm_sw_params: when the reader or writer wakes, when the card
// starts by itself, and when an xrun is declared.
type swParams struct {
	_                int32 // tstamp_mode: none
	periodStep       uint32
	_                uint32 // sleep_min: obsolete
	availMin         uint
	xferAlign        uint
	startThreshold   uint
	stopThreshold    uint
	silenceThreshold uint
	silenceSize      uint // for playback: what was played is overwritten with silence
	boundary         uint
	proto            uint32
	tstampType       uint32
	_                [56]byte
}

// cardInfo is struct snd_ctl_card_info.
type cardInfo struct {
	_        [2]int32 // number, padding
	id       [16]byte
	_        [16]byte // driver
	name     [32]byte
	longname [80]byte
	_        [224]byte
}

// elemID is struct snd_ctl_elem_id: the name of a control.
type elemID struct {
	numid uint32
	iface uint32
	_     [2]uint32 // device, subdevice
	name  [44]byte
	index uint32 // tells apart controls of one name
}

// elemList is struct snd_ctl_elem_list: a page of the controls' names.
type elemList struct {
	_, space    uint32 // first the offset, which is 0
	used, count uint32
	pids        *elemID // the first of space
	_           [50]byte
}

// elemInfo is struct snd_ctl_elem_info, its union taken for whole numbers.
type elemInfo struct {
	id             elemID
	kind           uint32
	access         uint32
	count          uint32 // of values: one for each channel
	_              int32  // owner
	min, max, step int
	_              [128 - 3*long]byte
	_              [64]byte
}

// elemValue is struct snd_ctl_elem_value, its union taken for whole numbers.
type elemValue struct {
	id     elemID
	_      [2]uint32 // a flag that is no longer used, padding
	values [128]int
	_      [128]byte
}

// A wrong size doesn't compile: 608, 136 and 376 bytes on 64-bit machines, 604, 104
// and 376 on 32-bit ARM; then 64, 80, 272 and 1224, or 64, 72, 272 and 712.
const long = unsafe.Sizeof(uint(0))

var (
	_ [600 + long]byte     = [unsafe.Sizeof(hwParams{})]byte{}
	_ [72 + 8*long]byte    = [unsafe.Sizeof(swParams{})]byte{}
	_ [376]byte            = [unsafe.Sizeof(cardInfo{})]byte{}
	_ [64]byte             = [unsafe.Sizeof(elemID{})]byte{}
	_ [64 + 2*long]byte    = [unsafe.Sizeof(elemList{})]byte{}
	_ [272]byte            = [unsafe.Sizeof(elemInfo{})]byte{}
	_ [200 + 128*long]byte = [unsafe.Sizeof(elemValue{})]byte{}
)

// Parameters: the first of each kind, as an index into masks and intervals.
const (
	paramAccess     = 0
	paramFormat     = 1
	paramSubformat  = 2
	paramChannels   = 10 - firstInterval
	paramRate       = 11 - firstInterval
	paramPeriodSize = 13 - firstInterval
	paramBufferSize = 17 - firstInterval

	firstInterval = 8

	accessRWInterleaved = 3
	formatS16LE         = 2
	subformatStd        = 0
)

// Of the controls: what acts on the mixer, what a control holds, what may be done.
const (
	ifaceMixer = 2

	kindBoolean = 1
	kindInteger = 2

	accessWrite = 1 << 1
)

// Requests, by the general encoding of ioctl numbers (include/uapi/asm-generic/ioctl.h),
// which x86, ARM and RISC-V share.
const (
	iocRead, iocWrite = 2 << 30, 1 << 30

	reqHWRefine = iocRead | iocWrite | unsafe.Sizeof(hwParams{})<<16 | 'A'<<8 | 0x10
	reqHWParams = iocRead | iocWrite | unsafe.Sizeof(hwParams{})<<16 | 'A'<<8 | 0x11
	reqSWParams = iocRead | iocWrite | unsafe.Sizeof(swParams{})<<16 | 'A'<<8 | 0x13
	reqDelay    = iocRead | long<<16 | 'A'<<8 | 0x21
	reqPrepare  = 'A'<<8 | 0x40
	reqStart    = 'A'<<8 | 0x42
	reqDrop     = 'A'<<8 | 0x43
	reqDrain    = 'A'<<8 | 0x44

	reqCardInfo  = iocRead | unsafe.Sizeof(cardInfo{})<<16 | 'U'<<8 | 0x01
	reqElemList  = iocRead | iocWrite | unsafe.Sizeof(elemList{})<<16 | 'U'<<8 | 0x10
	reqElemInfo  = iocRead | iocWrite | unsafe.Sizeof(elemInfo{})<<16 | 'U'<<8 | 0x11
	reqElemRead  = iocRead | iocWrite | unsafe.Sizeof(elemValue{})<<16 | 'U'<<8 | 0x12
	reqElemWrite = iocRead | iocWrite | unsafe.Sizeof(elemValue{})<<16 | 'U'<<8 | 0x13
)

// ioctl sends a request without a struct.
func ioctl(fd uintptr, name string, request uintptr) error { return call(fd, name, request, nil) }

// exchange sends a request with the struct or number that it reads and fills.
func exchange[T hwParams | swParams | cardInfo | elemList | elemInfo | elemValue | int](fd uintptr, name string, request uintptr, arg *T) error {
	return call(fd, name, request, unsafe.Pointer(arg)) //nolint:gosec // the layouts above are the kernel's
}

func call(fd uintptr, name string, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		switch e {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return fmt.Errorf("%s: %w", name, meaning(e))
	}
}

// errState means that the card isn't in a state for what was asked. A card that was
// unplugged a moment ago isn't in any.
var errState = fmt.Errorf("it is in the wrong state: %w", ErrGone)

// meaning turns what the kernel answers into this package's words.
func meaning(err error) error {
	switch {
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ESTRPIPE):
		return ErrXrun
	case errors.Is(err, unix.EBADFD):
		return errState
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return ErrGone
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EAGAIN):
		return ErrBusy
	}
	return err
}
