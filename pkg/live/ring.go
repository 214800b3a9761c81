package live

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// Bounds of a ring. It begins small and doubles while a group of pictures, or the
// last second, does not fit; payloads are at most maxPayload bytes, so a full video
// ring holds 4.75 MB. Beyond that the IDR is lost and joiners wait for the next one.
const (
	firstPackets = 64
	maxPackets   = 4096
	nackHistory  = time.Second
)

// packet is one RTP packet but for what differs between viewers.
type packet struct {
	payload   []byte        // at most maxPayload bytes
	index     uint64        // place in the ring's life
	timestamp uint32        // RTP
	pts       time.Duration // of its frame, on the capture clock
	published time.Duration // when its frame came, on the capture clock
	first     bool          // of its frame
	last      bool          // of its frame
	marker    bool          // RTP
}

// ring holds the packets of one encoding: at least those since the last frame that
// a decoder can start at, and those of the last second. One producer appends, every
// viewer reads in its own place.
type ring struct {
	rate    uint64 // RTP clock, Hz
	offset  uint32 // of RTP timestamps, random (RFC 3550 section 5.1)
	markers bool   // the marker bit ends a frame (video)

	watchers atomic.Pointer[[]chan<- struct{}] // copy on write, under mu

	mu     sync.RWMutex
	slots  []packet // a power of two; slot i%len holds packet i
	oldest uint64   // first packet that is still held
	next   uint64   // index of the packet to come
	key    uint64   // first packet of the last key frame, or of the recovery point that took its place
	hasKey bool     // and it is still held
	begins start    // what it is
	idrs   uint64   // key frames ever appended
	now    packet   // frame being appended
	head   time.Duration
}

func newRing(rate uint64, markers bool) *ring {
	r := &ring{rate: rate, markers: markers, offset: rand.Uint32(), slots: make([]packet, firstPackets)} //nolint:gosec // no secret
	r.watchers.Store(new([]chan<- struct{}))
	return r
}

// timestamp is the RTP time of a moment of the capture clock.
func (r *ring) timestamp(pts time.Duration) uint32 {
	s, ns := uint64(pts/time.Second), uint64(pts%time.Second)
	return r.offset + uint32(s*r.rate+ns*r.rate/uint64(time.Second))
}

// start is whether a decoder can begin with a frame.
type start int

const (
	no       start = iota
	recovery       // with what is missing renewed bit by bit, which browsers can't
	idr
)

func startOf(u *media.AccessUnit) start {
	switch {
	case !u.Key:
		return no
	case u.Gradual:
		return recovery
	}
	return idr
}

// startPatience is how old a key frame may be before viewers begin at a recovery point
// rather than there, and how long one waits for either.
const startPatience = 10 * time.Second

// append adds one frame: fill calls add for each of its packets. Then every watcher is told.
func (r *ring) append(pts time.Duration, begins start, fill func()) {
	r.mu.Lock()
	first := r.next
	r.now = packet{pts: pts, published: media.Now(), timestamp: r.timestamp(pts), first: true}
	fill()
	if r.next != first {
		last := r.slot(r.next - 1)
		last.last, last.marker = true, r.markers
		r.mark(first, begins)
		r.head = pts
	}
	r.mu.Unlock()
	for _, w := range *r.watchers.Load() {
		select {
		case w <- struct{}{}:
		default: // it has been told already
		}
	}
}

// mark notes where joiners begin.
func (r *ring) mark(first uint64, begins start) {
	if begins == idr {
		r.idrs++
	}
	better := begins == idr || !r.hasKey || r.begins == recovery || r.now.pts-r.slot(r.key).pts > startPatience
	if begins != no && first >= r.oldest && better {
		r.key, r.hasKey, r.begins = first, true, begins
	}
}

// add begins a packet of the frame being appended. The pointer holds until the next call.
func (r *ring) add() *packet {
	if r.next-r.oldest == uint64(len(r.slots)) {
		r.makeRoom()
	}
	p := r.slot(r.next)
	payload := p.payload[:0]
	*p = r.now
	p.payload, p.index = payload, r.next
	r.now.first = false
	r.next++
	return p
}

func (r *ring) slot(i uint64) *packet { return &r.slots[i&uint64(len(r.slots)-1)] }

// makeRoom doubles the ring while the oldest packet is needed, else gives it up.
func (r *ring) makeRoom() {
	old := r.slot(r.oldest)
	needed := r.hasKey && old.index >= r.key || r.now.pts-old.pts < nackHistory
	if needed && len(r.slots) < maxPackets {
		wider := make([]packet, 2*len(r.slots))
		for i := r.oldest; i < r.next; i++ {
			wider[i&uint64(len(wider)-1)] = *r.slot(i)
		}
		r.slots = wider
		return
	}
	if r.hasKey && old.index == r.key {
		r.hasKey = false
	}
	r.oldest++
}

// forget gives up every packet that is held, for viewers who join and for those who
// ask again; whoever watches goes on with the next key frame.
func (r *ring) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots, r.oldest, r.hasKey = make([]packet, firstPackets), r.next, false
}

// found is what a look at the ring tells.
type found int

const (
	held  found = iota // the packet was copied
	ahead              // it is yet to come
	gone               // it has been given up
)

// extent is where the ring stands.
type extent struct {
	next   uint64
	key    uint64
	hasKey bool
	head   time.Duration // of the newest frame
	keyPTS time.Duration
	idrs   uint64
}

// read copies packet i into p, whose payload's buffer is used again.
func (r *ring) read(i uint64, p *packet) (found, extent) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.extent()
	switch {
	case i >= r.next:
		return ahead, e
	case i < r.oldest:
		return gone, e
	}
	payload := p.payload
	*p = *r.slot(i)
	p.payload = append(payload[:0], p.payload...)
	return held, e
}

func (r *ring) stand() extent {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.extent()
}

func (r *ring) extent() extent {
	e := extent{next: r.next, key: r.key, hasKey: r.hasKey, head: r.head, idrs: r.idrs}
	if r.hasKey {
		e.keyPTS = r.slot(r.key).pts
	}
	return e
}

// watch has wake sent to, without waiting, after every frame.
func (r *ring) watch(wake chan<- struct{}) (cancel func()) {
	r.edit(func(l []chan<- struct{}) []chan<- struct{} { return append(l, wake) })
	return func() {
		r.edit(func(l []chan<- struct{}) []chan<- struct{} {
			kept := l[:0]
			for _, w := range l {
				if w != wake {
					kept = append(kept, w)
				}
			}
			return kept
		})
	}
}

func (r *ring) edit(change func([]chan<- struct{}) []chan<- struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := change(append([]chan<- struct{}(nil), *r.watchers.Load()...))
	r.watchers.Store(&l)
}
