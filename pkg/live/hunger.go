package live

import "time"

// hunger counts how long a viewer lacks a picture to begin with: none that a decoder can
// begin at has come, or it goes on asking for a key frame though it is sent what there
// is. The latter is a browser that is sent recovery points: libwebrtc shows nothing
// before an IDR.
type hunger struct {
	waiting int    // seconds without a start
	begging int    // seconds since it first asked for an IDR that has not come
	quiet   int    // seconds since it last asked
	idrs    uint64 // of the ring, when it was last looked at
}

// patientFor is how many seconds without being asked end an asking.
const patientFor = 3

// second takes stock once a second; it reports whether the viewer has waited too long.
func (h *hunger) second(w *walker, asked bool) bool {
	const most = int(startPatience / time.Second)
	h.waiting++
	if !w.waiting {
		h.waiting = 0
	}
	h.quiet++
	if asked {
		h.quiet = 0
	}
	e := w.ring.stand()
	if e.idrs != h.idrs || h.quiet >= patientFor || h.begging == 0 && !asked {
		h.begging, h.idrs = 0, e.idrs
	} else {
		h.begging++
	}
	return h.waiting >= most || h.begging >= most
}
