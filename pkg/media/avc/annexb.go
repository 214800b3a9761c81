package avc

import (
	"bytes"
	"slices"
)

// NALType is nal_unit_type (H.264 table 7-1).
type NALType byte

// The types that matter here.
const (
	Slice   NALType = 1 // of a picture that is not an IDR
	IDR     NALType = 5
	SEI     NALType = 6
	SPSType NALType = 7
	PPSType NALType = 8
	AUD     NALType = 9 // access unit delimiter
	Filler  NALType = 12
)

var startCode = []byte{0, 0, 1}

// StartCode is the four-byte form, which Annex B wants before the first NAL unit
// of an access unit and before parameter sets.
var StartCode = [4]byte{0, 0, 0, 1}

// Next returns the first NAL unit, without its start code and without trailing
// zeros, and what follows it. Bytes before the first start code are passed over,
// and so are empty NAL units. nal is nil at the end.
func Next(annexB []byte) (nal, rest []byte) {
	for {
		i := bytes.Index(annexB, startCode)
		if i < 0 {
			return nil, nil
		}
		annexB = annexB[i+len(startCode):]
		end := bytes.Index(annexB, startCode)
		if end < 0 {
			end = len(annexB)
		}
		// trailing_zero_8bits and the zero_byte of a start code that follows: the last byte
		// of a NAL unit is never zero (H.264 clause 7.4.1).
		nal, rest = slices.Clip(bytes.TrimRight(annexB[:end], "\x00")), annexB[end:]
		if len(nal) > 0 {
			return nal, rest
		}
		annexB = rest
	}
}

// TypeOf reads a NAL unit's type; 0 (unspecified) for an empty one.
func TypeOf(nal []byte) NALType {
	if len(nal) == 0 {
		return 0
	}
	return NALType(nal[0] & 0x1f)
}

// IsB reports whether the NAL unit is a B slice (H.264 table 7-6), which a decoder
// may have to put out in another order than it came in.
func IsB(nal []byte) bool {
	if t := TypeOf(nal); t != Slice && t != IDR {
		return false
	}
	kind, _, ok := sliceHeader(nal)
	return ok && kind%5 == 1
}

// sliceHeader reads the beginning of a slice (clause 7.3.3): its slice_type, and the
// id of its picture parameter set.
func sliceHeader(nal []byte) (kind, pps uint32, ok bool) {
	r := bits{b: nal[1:]}
	r.ue() // first_mb_in_slice
	kind, pps = r.ue(), r.ue()
	return kind, pps, !r.short
}
