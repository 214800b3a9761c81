package avc

// recoveryPoint is payloadType of a recovery point (H.264 clause D.1.1).
const recoveryPoint = 6

// recovery finds a recovery point among the messages of an SEI NAL unit (clauses 7.3.2.3
// and D.2.8). frames is recovery_frame_cnt: so many pictures later all is right of what
// a decoder shows that began there.
func recovery(nal []byte) (frames uint32, ok bool) {
	r := bits{b: nal[1:]}
	for {
		kind, size := r.length(), r.length()
		if r.short {
			return 0, false
		}
		if kind == recoveryPoint {
			frames = r.ue()
			return frames, !r.short
		}
		for ; size > 0 && !r.short; size-- {
			r.u(8)
		}
	}
}

// length reads a payloadType or payloadSize: bytes that are added up to the first that
// is not 255 (clause 7.3.2.3.1).
func (r *bits) length() (n int) {
	for !r.short {
		b := r.u(8)
		n += int(b)
		if b != 0xff {
			break
		}
	}
	return n
}
