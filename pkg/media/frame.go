package media

import (
	"sync/atomic"
	"time"
)

// AccessUnit is one encoded picture: an H.264 access unit in Annex B form
// (ITU-T H.264 Annex B), start codes included.
type AccessUnit struct {
	Data []byte        // immutable once published
	PTS  time.Duration // moment of capture on the capture clock
	Key  bool          // a decoder can start here: at an IDR picture, or, if Gradual, at a recovery point
	// Gradual says that it is a recovery point (H.264 clause D.2.8): the picture becomes
	// complete within some seconds. Browsers don't start there.
	Gradual bool
	ref
}

// AudioFrame is one Opus packet (RFC 6716) of 20 ms.
type AudioFrame struct {
	Data []byte        // immutable once published
	PTS  time.Duration // moment at which its first sample was captured
	ref
}

// Release drops one hold on the access unit; with the last one its buffer may be
// used for another picture at once.
func (u *AccessUnit) Release() {
	if p := u.release(); p != nil {
		p.(*Pool[AccessUnit]).put(u)
	}
}

// Release drops one hold on the frame, as AccessUnit's does.
func (f *AudioFrame) Release() {
	if p := f.release(); p != nil {
		p.(*Pool[AudioFrame]).put(f)
	}
}

// ref counts holders. The maker of a frame holds it once.
type ref struct {
	n    atomic.Int32
	home any // the *Pool to go back to
}

// Retain takes one more hold. Only a holder may call it.
func (r *ref) Retain() {
	if r.n.Add(1) < 2 {
		panic("media: Retain of a released frame")
	}
}

func (r *ref) release() any {
	switch n := r.n.Add(-1); {
	case n < 0:
		panic("media: Release of a released frame")
	case n == 0:
		return r.home
	}
	return nil
}

func (r *ref) adopt(home any) { r.home = home; r.n.Store(1) }

// Pool keeps released frames, buffers included, for the next ones. Unlike
// sync.Pool it survives garbage collections, so the steady state allocates nothing.
type Pool[F any] struct{ free chan *F }

// NewPool makes a pool that keeps at most n idle frames.
func NewPool[F AccessUnit | AudioFrame](n int) *Pool[F] { return &Pool[F]{free: make(chan *F, n)} }

// Get returns a frame that the caller holds, with the Data (length 0, capacity as
// it happens) and fields of its last use or none. The caller appends to Data[:0].
func (p *Pool[F]) Get() *F {
	var f *F
	select {
	case f = <-p.free:
	default:
		f = new(F)
	}
	switch v := any(f).(type) {
	case *AccessUnit:
		v.Data, v.PTS, v.Key, v.Gradual = v.Data[:0], 0, false, false
		v.adopt(p)
	case *AudioFrame:
		v.Data, v.PTS = v.Data[:0], 0
		v.adopt(p)
	}
	return f
}

func (p *Pool[F]) put(f *F) {
	select {
	case p.free <- f:
	default: // the pool is full: leave it to the garbage collector
	}
}

// VideoFormat describes the encoding that a camera gives now.
type VideoFormat struct {
	Width, Height  int     // luma samples, after cropping
	Rate           float64 // frames per second, as the driver really set it
	ProfileLevelID string  // six hex digits of the SPS (RFC 6184 section 8.1)
	CanForceIDR    bool    // the encoder makes an IDR when asked
}
