package avc

// bits reads an RBSP (H.264 clause 7.2) bit by bit out of a NAL unit's payload,
// leaving out the emulation prevention bytes on the way.
type bits struct {
	b     []byte
	pos   int   // of the next byte
	zeros int   // zero bytes just before pos
	left  uint8 // bits of cur not read yet
	cur   byte
	short bool // read beyond the end, or a number no valid stream has
}

func (r *bits) bit() uint32 {
	if r.left == 0 && !r.load() {
		return 0
	}
	r.left--
	return uint32(r.cur>>r.left) & 1
}

func (r *bits) load() bool {
	if r.zeros >= 2 && r.pos < len(r.b) && r.b[r.pos] == 3 {
		r.pos++ // emulation_prevention_three_byte
		r.zeros = 0
	}
	if r.pos >= len(r.b) {
		r.short = true
		return false
	}
	r.cur = r.b[r.pos]
	r.pos++
	r.left = 8
	if r.cur == 0 {
		r.zeros++
	} else {
		r.zeros = 0
	}
	return true
}

// u reads n ≤ 32 bits.
func (r *bits) u(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bits) flag() bool { return r.bit() == 1 }

// ue reads an unsigned Exp-Golomb number (clause 9.1).
func (r *bits) ue() uint32 {
	n := 0
	for r.bit() == 0 {
		n++
		if r.short || n > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<n - 1 + r.u(n)
}

// se reads a signed Exp-Golomb number (clause 9.1.1).
func (r *bits) se() int32 {
	v := int64(r.ue())
	if v&1 == 0 {
		return int32(-v / 2) //nolint:gosec // |v| < 2^32, halved
	}
	return int32((v + 1) / 2) //nolint:gosec // as above
}
