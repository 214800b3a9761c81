package avc

import (
	"bytes"
	"errors"
)

// Unit is one access unit (H.264 clause 7.4.1.2.3), a part of the bytes it was
// found in.
type Unit struct {
	Data    []byte // Annex B, start codes included; nil: none
	Coded   bool   // holds slices; without, it is only what belongs to the next picture
	Key     bool   // holds an IDR slice
	B       bool   // holds a B slice
	Sets    bool   // holds a parameter set
	Partial bool   // begins in the middle of a picture

	Recovers bool   // holds a recovery point: a decoder can begin here too
	Within   uint32 // and all is right so many pictures later
}

// NextUnit returns the first access unit and what follows it. The last one ends
// where the bytes do. Bytes before the first start code are ignored.
//
// A new picture is recognised by first_mb_in_slice being zero, so arbitrary slice order
// (which no camera uses) is not understood, and the two fields of a frame count as
// two access units, as the standard has it.
func NextUnit(annexB []byte) (u Unit, rest []byte) {
	start := bytes.Index(annexB, startCode)
	if start < 0 {
		return Unit{}, nil
	}
	if start > 0 && annexB[start-1] == 0 {
		start--
	}
	annexB = annexB[start:]
	for at := annexB; ; {
		nal, after := Next(at)
		if nal == nil {
			break
		}
		if u.Coded && begins(nal) {
			cut := len(annexB) - len(at)
			if annexB[cut-1] == 0 {
				cut-- // the zero_byte belongs to the start code that follows it
			}
			u.Data = annexB[:cut:cut]
			return u, annexB[cut:]
		}
		u.note(nal)
		at = after
	}
	u.Data = annexB
	return u, nil
}

// begins reports whether nal, after the slices of a picture, is the first of the
// next access unit.
func begins(nal []byte) bool {
	switch t := TypeOf(nal); t {
	case Slice, IDR:
		return firstSlice(nal)
	default:
		return t >= SEI && t <= AUD || t >= 14 && t <= 18
	}
}

// firstSlice reports whether first_mb_in_slice is zero, which is the single bit 1.
func firstSlice(nal []byte) bool { return len(nal) > 1 && nal[1]&0x80 != 0 }

func (u *Unit) note(nal []byte) {
	switch t := TypeOf(nal); t {
	case Slice, IDR:
		if !u.Coded {
			u.Partial = !firstSlice(nal)
		}
		u.Coded = true
		u.Key = u.Key || t == IDR
		u.B = u.B || IsB(nal)
	case SEI:
		if frames, ok := recovery(nal); ok && !u.Coded {
			u.Recovers, u.Within = true, frames
		}
	case SPSType, PPSType:
		u.Sets = true
	}
}

// MaxUnit is the most that a Splitter holds: far more than a picture of any level
// that a camera has.
const MaxUnit = 8 << 20

// ErrTooLong says that MaxUnit bytes came without the end of an access unit. They
// are dropped, and the Splitter goes on with what comes next.
var ErrTooLong = errors.New("access unit is too long")

// Splitter cuts a stream that comes in arbitrary pieces into access units.
type Splitter struct {
	buf  []byte
	done int // bytes of buf that were handed out
}

// Write takes the next piece. It ends the life of the units that Next returned.
func (s *Splitter) Write(p []byte) error {
	s.buf = s.buf[:copy(s.buf, s.buf[s.done:])]
	s.done = 0
	if len(s.buf)+len(p) > MaxUnit {
		s.buf = s.buf[:0]
		return ErrTooLong
	}
	s.buf = append(s.buf, p...)
	return nil
}

// Next returns an access unit whose end was seen, which is only when the next
// one has begun; ok is false if there is none.
func (s *Splitter) Next() (u Unit, ok bool) {
	u, rest := NextUnit(s.buf[s.done:])
	if rest == nil {
		return Unit{}, false
	}
	s.done = len(s.buf) - len(rest)
	return u, true
}

// Flush returns what is left at the end of the stream; ok is false if that is nothing.
func (s *Splitter) Flush() (u Unit, ok bool) {
	u, _ = NextUnit(s.buf[s.done:])
	s.done = len(s.buf)
	return u, u.Data != nil
}
