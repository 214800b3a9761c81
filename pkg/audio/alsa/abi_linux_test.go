package alsa

import (
	"runtime"
	"testing"
	"unsafe"
)

// TestLayoutIsTheKernels compares with what a C program printed that was compiled
// against Linux' sound/asound.h for x86-64, arm64 and 32-bit ARM (hard float).
func TestLayoutIsTheKernels(t *testing.T) {
	var hw hwParams
	var sw swParams
	var ci cardInfo
	var id elemID
	var list elemList
	var info elemInfo
	var value elemValue
	for _, c := range []struct {
		what       string
		got        uintptr
		on64, on32 uintptr
	}{
		{"sizeof hw_params", unsafe.Sizeof(hw), 608, 604},
		{"hw_params.masks", unsafe.Offsetof(hw.masks), 4, 4},
		{"hw_params.intervals", unsafe.Offsetof(hw.intervals), 260, 260},
		{"hw_params.rmask", unsafe.Offsetof(hw.rmask), 512, 512},
		{"hw_params.cmask", unsafe.Offsetof(hw.cmask), 516, 516},
		{"hw_params.info", unsafe.Offsetof(hw.info), 520, 520},
		{"hw_params.rate_num", unsafe.Offsetof(hw.rateNum), 528, 528},
		{"hw_params.fifo_size", unsafe.Offsetof(hw.fifoSize), 536, 536},
		{"sizeof interval", unsafe.Sizeof(interval{}), 12, 12},
		{"sizeof sw_params", unsafe.Sizeof(sw), 136, 104},
		{"sw_params.avail_min", unsafe.Offsetof(sw.availMin), 16, 12},
		{"sw_params.xfer_align", unsafe.Offsetof(sw.xferAlign), 24, 16},
		{"sw_params.start_threshold", unsafe.Offsetof(sw.startThreshold), 32, 20},
		{"sw_params.stop_threshold", unsafe.Offsetof(sw.stopThreshold), 40, 24},
		{"sw_params.silence_threshold", unsafe.Offsetof(sw.silenceThreshold), 48, 28},
		{"sw_params.silence_size", unsafe.Offsetof(sw.silenceSize), 56, 32},
		{"sw_params.boundary", unsafe.Offsetof(sw.boundary), 64, 36},
		{"sw_params.proto", unsafe.Offsetof(sw.proto), 72, 40},
		{"sw_params.tstamp_type", unsafe.Offsetof(sw.tstampType), 76, 44},
		{"sizeof card_info", unsafe.Sizeof(ci), 376, 376},
		{"card_info.id", unsafe.Offsetof(ci.id), 8, 8},
		{"card_info.name", unsafe.Offsetof(ci.name), 40, 40},
		{"card_info.longname", unsafe.Offsetof(ci.longname), 72, 72},
		{"sizeof elem_id", unsafe.Sizeof(id), 64, 64},
		{"elem_id.iface", unsafe.Offsetof(id.iface), 4, 4},
		{"elem_id.name", unsafe.Offsetof(id.name), 16, 16},
		{"elem_id.index", unsafe.Offsetof(id.index), 60, 60},
		{"sizeof elem_list", unsafe.Sizeof(list), 80, 72},
		{"elem_list.used", unsafe.Offsetof(list.used), 8, 8},
		{"elem_list.count", unsafe.Offsetof(list.count), 12, 12},
		{"elem_list.pids", unsafe.Offsetof(list.pids), 16, 16},
		{"sizeof elem_info", unsafe.Sizeof(info), 272, 272},
		{"elem_info.type", unsafe.Offsetof(info.kind), 64, 64},
		{"elem_info.access", unsafe.Offsetof(info.access), 68, 68},
		{"elem_info.count", unsafe.Offsetof(info.count), 72, 72},
		{"elem_info.value.integer.min", unsafe.Offsetof(info.min), 80, 80},
		{"elem_info.value.integer.max", unsafe.Offsetof(info.max), 88, 84},
		{"elem_info.value.integer.step", unsafe.Offsetof(info.step), 96, 88},
		{"sizeof elem_value", unsafe.Sizeof(value), 1224, 712},
		{"elem_value.value", unsafe.Offsetof(value.values), 72, 72},

		{"HW_REFINE", reqHWRefine, 0xc2604110, 0xc25c4110},
		{"HW_PARAMS", reqHWParams, 0xc2604111, 0xc25c4111},
		{"SW_PARAMS", reqSWParams, 0xc0884113, 0xc0684113},
		{"DELAY", reqDelay, 0x80084121, 0x80044121},
		{"PREPARE", reqPrepare, 0x4140, 0x4140},
		{"START", reqStart, 0x4142, 0x4142},
		{"DRAIN", reqDrain, 0x4144, 0x4144},
		{"ELEM_LIST", reqElemList, 0xc0505510, 0xc0485510},
		{"ELEM_INFO", reqElemInfo, 0xc1105511, 0xc1105511},
		{"ELEM_READ", reqElemRead, 0xc4c85512, 0xc2c85512},
		{"ELEM_WRITE", reqElemWrite, 0xc4c85513, 0xc2c85513},
		{"CARD_INFO", reqCardInfo, 0x81785501, 0x81785501},
	} {
		want := c.on64
		if long == 4 {
			want = c.on32
		}
		if c.got != want {
			t.Errorf("%s on %s is %#x, want %#x", c.what, runtime.GOARCH, c.got, want)
		}
	}
}

func TestParameterIndexesAreTheKernels(t *testing.T) {
	p := usable(1, 2)
	p.between(paramPeriodSize, 480, 960)
	p.between(paramBufferSize, 1920, 9600)
	word := func(offset uintptr) uint32 { return *(*uint32)(unsafe.Add(unsafe.Pointer(p), offset)) }
	const intervals, first = 260, 8
	for _, c := range []struct {
		what   string
		offset uintptr
		want   uint32
	}{
		{"access: RW_INTERLEAVED is 3", 4 + 0*32, 1 << 3},
		{"format: S16_LE is 2", 4 + 1*32, 1 << 2},
		{"subformat: STD is 0", 4 + 2*32, 1},
		{"channels, least", intervals + (10-first)*12, 1},
		{"channels, most", intervals + (10-first)*12 + 4, 2},
		{"channels, flags", intervals + (10-first)*12 + 8, 4},
		{"rate", intervals + (11-first)*12, 48000},
		{"period time, most", intervals + (12-first)*12 + 4, 0xffffffff},
		{"period size, least", intervals + (13-first)*12, 480},
		{"buffer size, most", intervals + (17-first)*12 + 4, 9600},
		{"requested parameters", 512, 0xffffffff},
	} {
		if got := word(c.offset); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
	}
}
