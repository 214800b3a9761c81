package v4l2

import (
	"testing"
	"unsafe"
)

// The numbers were printed by a C program that includes linux/videodev2.h, built
// for x86-64, arm64 (the same) and 32-bit ARM.
func TestRequestNumbersAreThoseOfTheHeader(t *testing.T) {
	wide := unsafe.Sizeof(uintptr(0)) == 8
	for name, c := range map[string]struct{ got, on64, on32 uintptr }{
		"QUERYCAP":  {vidiocQueryCap, 0x80685600, 0x80685600},
		"G_FMT":     {vidiocGFmt, 0xc0d05604, 0xc0cc5604},
		"S_FMT":     {vidiocSFmt, 0xc0d05605, 0xc0cc5605},
		"REQBUFS":   {vidiocReqBufs, 0xc0145608, 0xc0145608},
		"QUERYBUF":  {vidiocQueryBuf, 0xc0585609, 0xc0445609},
		"QBUF":      {vidiocQBuf, 0xc058560f, 0xc044560f},
		"DQBUF":     {vidiocDQBuf, 0xc0585611, 0xc0445611},
		"STREAMON":  {vidiocStreamOn, 0x40045612, 0x40045612},
		"STREAMOFF": {vidiocStreamOff, 0x40045613, 0x40045613},
		"G_PARM":    {vidiocGParm, 0xc0cc5615, 0xc0cc5615},
		"S_PARM":    {vidiocSParm, 0xc0cc5616, 0xc0cc5616},
		"S_CTRL":    {vidiocSCtrl, 0xc008561c, 0xc008561c},
		"QUERYCTRL": {vidiocQueryCtrl, 0xc0445624, 0xc0445624},
	} {
		want := c.on32
		if wide {
			want = c.on64
		}
		if c.got != want {
			t.Errorf("VIDIOC_%s = %#x, want %#x", name, c.got, want)
		}
	}
}

func TestFieldsLieWhereTheHeaderHasThem(t *testing.T) {
	type offsets struct{ stamp, sequence, union, length, format, parm uintptr }
	got := offsets{
		unsafe.Offsetof(buffer{}.timestamp), unsafe.Offsetof(buffer{}.sequence), unsafe.Offsetof(buffer{}.offset),
		unsafe.Offsetof(buffer{}.length), unsafe.Offsetof(format{}.fmt), unsafe.Offsetof(streamParm{}.capability),
	}
	want := offsets{20, 44, 52, 56, 4, 4}
	if unsafe.Sizeof(uintptr(0)) == 8 {
		want = offsets{24, 56, 64, 72, 8, 4}
	}
	if got != want {
		t.Errorf("offsets %+v, want %+v", got, want)
	}
}

func TestMissedCountsGapsOfTheSequence(t *testing.T) {
	var s Stream
	for i, c := range []struct {
		sequence uint32
		want     int
	}{{7, 0}, {8, 0}, {11, 2}, {12, 0}, {3, 0}, {4, 0}, {0xffffffff, 0}, {0, 0}, {2, 1}} {
		s.got.sequence = c.sequence
		if got := s.missed(); got != c.want {
			t.Errorf("step %d, sequence %d: %d missed, want %d", i, c.sequence, got, c.want)
		}
	}
}
