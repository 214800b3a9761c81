package v4l2

import (
	"errors"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The numbers were printed by a C program that includes linux/videodev2.h, built
// for x86-64, arm64 (the same) and 32-bit ARM.
func TestRequestNumbersAreThoseOfTheHeader(t *testing.T) {
	wide := unsafe.Sizeof(uintptr(0)) == 8
	for name, c := range map[string]struct{ got, on64, on32 uintptr }{
		"QUERYCAP":  {vidiocQueryCap, 0x80685600, 0x80685600},
		"ENUM_FMT":  {vidiocEnumFmt, 0xc0405602, 0xc0405602},
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

		"ENUM_FRAMESIZES":     {vidiocEnumFrameSizes, 0xc02c564a, 0xc02c564a},
		"ENUM_FRAMEINTERVALS": {vidiocEnumFrameIntervals, 0xc034564b, 0xc034564b},
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

func TestStructuresOfTheMultiplanarAPILieAsInTheHeader(t *testing.T) {
	type sizes struct{ format, plane, union, data uintptr }
	got := sizes{unsafe.Sizeof(formatMP{}), unsafe.Sizeof(plane{}), unsafe.Offsetof(plane{}.offset), unsafe.Offsetof(plane{}.dataOffset)}
	want := sizes{204, 60, 8, 12}
	union := uintptr(4)
	if unsafe.Sizeof(uintptr(0)) == 8 {
		want = sizes{208, 64, 8, 16}
		union = 8
	}
	if got != want || unsafe.Sizeof(format{}) != want.format {
		t.Errorf("sizes and offsets %+v, want %+v", got, want)
	}
	var f formatMP
	at := unsafe.Offsetof(f.fmt)
	stride := at + unsafe.Offsetof(f.fmt.planes) + unsafe.Offsetof(f.fmt.planes[0].bytesPerLine)
	planes := at + unsafe.Offsetof(f.fmt.numPlanes)
	if at != union || stride != union+24 || planes != union+180 || unsafe.Sizeof(f.fmt) != 192 {
		t.Errorf("union at %d, bytesperline at %d, num_planes at %d, %d bytes", at, stride, planes, unsafe.Sizeof(f.fmt))
	}
}

func TestWhatIsNoCamera(t *testing.T) {
	for caps, want := range map[uint32]NotCamera{
		0x04200001: "", // a webcam
		0x04201000: "", // multi-planar
		0x04a00000: "metadata only",
		0x0c200000: "metadata only",
		0x04200002: "output only",
		0x04202000: "output only",
		0x04204000: "converts pictures in memory",
		0x04208000: "converts pictures in memory",
		0x01200001: "captures without streaming",
		0x00200000: "captures no pictures",
	} {
		if got := other(caps); got != want {
			t.Errorf("capabilities %#x: %q, want %q", caps, got, want)
		}
	}
}

func TestSpreadOfFrameIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		shortest, longest fract
		want              []float64
	}{
		"one":      {fract{1, 30}, fract{1, 30}, []float64{30}},
		"a range":  {fract{1, 5}, fract{1, 2}, []float64{5, 2, 3, 4}},
		"29.97":    {fract{1001, 30000}, fract{1001, 30000}, []float64{30000.0 / 1001}},
		"nonsense": {fract{0, 30}, fract{1, 30}, nil},
	} {
		if got := spread(c.shortest, c.longest); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPayloadOfAPlaneLiesBehindItsOffset(t *testing.T) {
	s := Stream{fd: -1, held: -1, buffers: [][]byte{[]byte("headpicture, and room")}}
	for name, c := range map[string]struct {
		multiplanar bool
		fill        func(f *filled)
		want        string
		damaged     bool
		err         error
	}{
		"one plane":        {false, func(f *filled) { f.bytesUsed = 4 }, "head", false, nil},
		"multi-planar":     {true, func(f *filled) { f.plane.dataOffset, f.plane.bytesUsed = 4, 11 }, "picture", false, nil},
		"empty":            {true, func(f *filled) { f.plane.dataOffset, f.plane.bytesUsed = 4, 4 }, "", true, nil},
		"nothing used":     {false, func(*filled) {}, "", true, nil},
		"marked":           {false, func(f *filled) { f.bytesUsed, f.flags = 4, flagError }, "head", true, nil},
		"too much":         {true, func(f *filled) { f.plane.bytesUsed = 99 }, "", false, unix.EPROTO},
		"behind its end":   {true, func(f *filled) { f.plane.dataOffset, f.plane.bytesUsed = 5, 4 }, "", false, unix.EPROTO},
		"no such buffer":   {false, func(f *filled) { f.index, f.bytesUsed = 1, 4 }, "", false, unix.EPROTO},
		"more than 32 bit": {true, func(f *filled) { f.plane.bytesUsed = 1<<32 - 1 }, "", false, unix.EPROTO},
	} {
		s.got, s.device.Multiplanar = filled{}, c.multiplanar
		c.fill(&s.got)
		f, err := s.frame()
		if string(f.Data) != c.want || f.Damaged != c.damaged || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, damaged %v, %v", name, f.Data, f.Damaged, err)
		}
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
