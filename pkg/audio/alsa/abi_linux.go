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

// swParams is struct snd_pcm_sw_params: when the reader wakes and when an xrun is declared.
type swParams struct {
	_                int32 // tstamp_mode: none
	periodStep       uint32
	_                uint32 // sleep_min: obsolete
	availMin         uint
	xferAlign        uint
	startThreshold   uint
	stopThreshold    uint
	silenceThreshold uint
	_                uint // silence_size: for playback
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

// A wrong size doesn't compile: 608, 136 and 376 bytes on 64-bit machines, 604, 104
// and 376 on 32-bit ARM.
const long = unsafe.Sizeof(uint(0))

var (
	_ [600 + long]byte  = [unsafe.Sizeof(hwParams{})]byte{}
	_ [72 + 8*long]byte = [unsafe.Sizeof(swParams{})]byte{}
	_ [376]byte         = [unsafe.Sizeof(cardInfo{})]byte{}
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
	reqCardInfo = iocRead | unsafe.Sizeof(cardInfo{})<<16 | 'U'<<8 | 0x01
)

// ioctl sends a request without a struct.
func ioctl(fd uintptr, name string, request uintptr) error { return call(fd, name, request, nil) }

// exchange sends a request with the struct or number that it reads and fills.
func exchange[T hwParams | swParams | cardInfo | int](fd uintptr, name string, request uintptr, arg *T) error {
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

// meaning turns what the kernel answers into this package's words.
func meaning(err error) error {
	switch {
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ESTRPIPE):
		return ErrXrun
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EBADFD):
		return ErrGone
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EAGAIN):
		return ErrBusy
	}
	return err
}
