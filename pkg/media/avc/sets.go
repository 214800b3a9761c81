package avc

import "bytes"

// maxSet bounds a parameter set that is kept: scaling lists take a few hundred bytes.
const maxSet = 2048

// Sets keeps a stream's parameter sets by their ids (H.264 clauses 7.4.2.1.1 and
// 7.4.2.2): a new one takes the place of its own id and of no other, so picture
// parameter sets outlive the sequence parameter set that they name. Ids bound what is
// kept. What it returns is never changed later.
type Sets struct {
	sps [32][]byte
	pps [256]pictureSet
}

type pictureSet struct {
	nal []byte
	sps uint32 // the id that it names
}

// SetsIn are the parameter sets among NAL units in Annex B form.
func SetsIn(annexB []byte) *Sets {
	s := new(Sets)
	s.Learn(annexB)
	return s
}

// Learn keeps the parameter sets among NAL units in Annex B form. It allocates only
// for those that are new. Ids that no stream may have are passed over.
func (s *Sets) Learn(annexB []byte) {
	for nal, rest := Next(annexB); nal != nil; nal, rest = Next(rest) {
		switch id, names, ok := setIDs(nal); {
		case !ok:
		case TypeOf(nal) == SPSType:
			if !bytes.Equal(s.sps[id], nal) {
				s.sps[id] = bytes.Clone(nal)
			}
		case !bytes.Equal(s.pps[id].nal, nal):
			s.pps[id] = pictureSet{bytes.Clone(nal), names}
		}
	}
}

// setIDs reads a parameter set's id, and of a picture parameter set the id of the
// sequence parameter set that it names. ok is false for anything else.
func setIDs(nal []byte) (id, names uint32, ok bool) {
	switch t := TypeOf(nal); {
	case len(nal) > maxSet:
		return 0, 0, false
	case t == SPSType && len(nal) > 4:
		r := bits{b: nal[4:]}
		id = r.ue()
		return id, 0, !r.short && id < uint32(len(Sets{}.sps))
	case t == PPSType:
		r := bits{b: nal[1:]}
		id, names = r.ue(), r.ue()
		return id, names, !r.short && id < uint32(len(Sets{}.pps)) && names < uint32(len(Sets{}.sps))
	}
	return 0, 0, false
}

// sequence finds the id of the sequence parameter set that an access unit's slices
// name. ok is false where a set of theirs is not kept, or there is no slice.
func (s *Sets) sequence(unit []byte) (id uint32, ok bool) {
	for nal, rest := Next(unit); nal != nil; nal, rest = Next(rest) {
		if t := TypeOf(nal); t != Slice && t != IDR {
			continue
		}
		_, pps, whole := sliceHeader(nal)
		if !whole || pps >= uint32(len(s.pps)) || s.pps[pps].nal == nil || s.sps[s.pps[pps].sps] == nil {
			return 0, false
		}
		if ok && s.pps[pps].sps != id {
			return 0, false // a picture has one (clause 7.4.1.2.1)
		}
		id, ok = s.pps[pps].sps, true
	}
	return id, ok
}

// Of returns what a decoder that begins with an access unit needs, as NAL units: the
// sequence parameter set of its slices, and every picture parameter set that names
// that one, since later pictures may use others than the first. sps is nil where a
// set is missing.
func (s *Sets) Of(unit []byte) (sps []byte, pps [][]byte) {
	id, ok := s.sequence(unit)
	if !ok {
		return nil, nil
	}
	for i := range s.pps {
		if p := &s.pps[i]; p.nal != nil && p.sps == id {
			pps = append(pps, p.nal)
		}
	}
	return s.sps[id], pps
}

// SPS is Of without the picture parameter sets; it allocates nothing.
func (s *Sets) SPS(unit []byte) []byte {
	if id, ok := s.sequence(unit); ok {
		return s.sps[id]
	}
	return nil
}

// Lead appends to dst, in Annex B form, what Of returns, unless the unit, from which
// the sets have learned, holds all of that itself.
func (s *Sets) Lead(dst, unit []byte) []byte {
	id, ok := s.sequence(unit)
	if !ok || s.within(unit, id) {
		return dst
	}
	dst = append(append(dst, StartCode[:]...), s.sps[id]...)
	for i := range s.pps {
		if p := &s.pps[i]; p.nal != nil && p.sps == id {
			dst = append(append(dst, StartCode[:]...), p.nal...)
		}
	}
	return dst
}

// within reports whether a unit holds all that Lead would put before it.
func (s *Sets) within(unit []byte, sequence uint32) bool {
	var there [len(s.pps)]bool
	found := false
	for nal, rest := Next(unit); nal != nil; nal, rest = Next(rest) {
		id, _, ok := setIDs(nal)
		switch {
		case !ok:
		case TypeOf(nal) == SPSType:
			found = found || id == sequence
		default:
			there[id] = true
		}
	}
	for i := range s.pps {
		if p := &s.pps[i]; p.nal != nil && p.sps == sequence && !there[i] {
			return false
		}
	}
	return found
}
