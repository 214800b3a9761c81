// Package packets keeps encoded frames as RTP packets, for many viewers at once.
//
// A Buffer cuts each access unit and each audio frame into packets once. It holds at
// least the packets since the last frame at which a decoder can start, and those of the
// last second: new viewers start there, and NACKs are answered from there. Each viewer
// reads with a Cursor of its own. One that can't keep up skips to a later key frame;
// nobody waits for it.
//
// The package starts no goroutine, and in the steady state it allocates nothing.
package packets

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// MaxPackets bounds a buffer. It begins small and doubles while a group of pictures, or
// the last second, does not fit; a full one of video holds 4.75 MB. Beyond that the key
// frame is lost, and new viewers wait for the next one.
const MaxPackets = 4096

const (
	firstPackets = 64
	nackHistory  = time.Second
)

// StartPatience is how old a key frame may be before viewers start at a recovery point
// instead, and how long a viewer waits for either.
const StartPatience = 10 * time.Second

// Buffer holds the packets of one encoding. One goroutine appends; all other methods
// are safe for concurrent use.
type Buffer struct {
	clock  uint64 // RTP, Hz
	offset uint32 // of RTP timestamps, random (RFC 3550 section 5.1)
	video  bool   // the marker bit ends a frame

	packetizer packetizer // of the goroutine that appends

	readers media.CopyOnWrite[[]chan<- struct{}]

	mu     sync.RWMutex
	slots  []Packet      // a power of two; slot i%len holds packet i
	oldest uint64        // first packet that is still held
	next   uint64        // index of the packet to come
	key    uint64        // first packet of the last key frame, or of the recovery point that replaced it
	hasKey bool          // and it is still held
	starts start         // what it is
	idrs   uint64        // key frames ever appended
	total  uint64        // bytes of payload ever appended
	gop    time.Duration // between the last two starts; 0: not known
	began  time.Duration // the last start
	frame  Packet        // what the packets of the frame being appended have in common
	head   time.Duration
}

// New returns an empty buffer whose RTP timestamps count clock Hz.
func New(clock uint64, video bool) *Buffer {
	b := &Buffer{clock: clock, video: video, offset: rand.Uint32(), slots: make([]Packet, firstPackets)} //nolint:gosec // no secret
	b.packetizer.next = b.add
	return b
}

// Alternative returns an empty buffer for another encoding of the same pictures. Both count
// RTP timestamps from the same moment, so that a cursor may go from one to the other.
func (b *Buffer) Alternative() *Buffer {
	a := New(b.clock, b.video)
	a.offset = b.offset
	return a
}

// Timestamp returns the RTP timestamp of a moment of the capture clock.
func (b *Buffer) Timestamp(pts time.Duration) uint32 {
	s, ns := uint64(pts/time.Second), uint64(pts%time.Second)
	return b.offset + uint32(s*b.clock+ns*b.clock/uint64(time.Second))
}

// start says whether a decoder can start at a frame.
type start int

const (
	no       start = iota
	recovery       // what is missing is renewed bit by bit, which browsers can't use
	idr
)

// AppendUnit adds an access unit and wakes every reader.
func (b *Buffer) AppendUnit(u *media.AccessUnit) {
	starts := no
	switch {
	case u.Key && u.Gradual:
		starts = recovery
	case u.Key:
		starts = idr
	}
	b.append(u.PTS, starts, func() { b.packetizer.accessUnit(u.Data) })
}

// AppendAudio adds an audio frame and wakes every reader.
func (b *Buffer) AppendAudio(f *media.AudioFrame) {
	if len(f.Data) == 0 || len(f.Data) > maxPayload {
		return // no Opus packet of 20 ms at a bitrate that is allowed
	}
	b.append(f.PTS, idr, func() {
		p := b.add()
		p.Payload = append(p.Payload, f.Data...)
	})
}

// append adds one frame: fill calls add for each of its packets.
func (b *Buffer) append(pts time.Duration, starts start, fill func()) {
	b.mu.Lock()
	first := b.next
	b.frame = Packet{pts: pts, Published: media.Now(), Timestamp: b.Timestamp(pts), first: true, total: b.total}
	fill()
	if b.next != first {
		for i := first; i < b.next; i++ {
			b.total += uint64(len(b.slot(i).Payload))
		}
		last := b.slot(b.next - 1)
		last.Last, last.Marker = true, b.video
		b.head = pts
		if starts == idr {
			b.idrs++
		}
		if starts != no {
			if b.began != 0 {
				b.gop = pts - b.began
			}
			b.began = pts
		}
		better := starts == idr || !b.hasKey || b.starts == recovery || pts-b.slot(b.key).pts > StartPatience
		if starts != no && first >= b.oldest && better { // new viewers start here
			b.key, b.hasKey, b.starts = first, true, starts
		}
	}
	b.mu.Unlock()
	for _, r := range b.readers.Load() {
		select {
		case r <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// add returns the next packet of the frame being appended, with an empty payload. The
// pointer is valid until the next call.
func (b *Buffer) add() *Packet {
	if b.next-b.oldest == uint64(len(b.slots)) {
		b.makeRoom()
	}
	p := b.slot(b.next)
	payload := p.Payload[:0]
	*p = b.frame
	p.Payload, p.index = payload, b.next
	b.frame.first = false
	b.next++
	return p
}

func (b *Buffer) slot(i uint64) *Packet { return &b.slots[i&uint64(len(b.slots)-1)] }

// makeRoom doubles the buffer while the oldest packet is needed, and drops it otherwise.
func (b *Buffer) makeRoom() {
	old := b.slot(b.oldest)
	needed := b.hasKey && old.index >= b.key || b.frame.pts-old.pts < nackHistory
	if needed && len(b.slots) < MaxPackets {
		wider := make([]Packet, 2*len(b.slots))
		for i := b.oldest; i < b.next; i++ {
			wider[i&uint64(len(wider)-1)] = *b.slot(i)
		}
		b.slots = wider
		return
	}
	if b.hasKey && old.index == b.key {
		b.hasKey = false
	}
	b.oldest++
}

// Clear drops every packet. Neither new viewers nor NACKs get any of them; viewers go
// on with the next key frame.
func (b *Buffer) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots, b.oldest, b.hasKey = make([]Packet, firstPackets), b.next, false
}

// Keyframes returns how many key frames have been appended.
func (b *Buffer) Keyframes() uint64 { return b.window().idrs }

// Bitrate returns the bit/s of payload of what is held; 0: less than a second of it is.
func (b *Buffer) Bitrate() int { return int(8 * b.window().rate) }

// window is what the buffer holds at a moment.
type window struct {
	next   uint64
	key    uint64
	hasKey bool
	isIDR  bool
	head   time.Duration // of the newest frame
	keyPTS time.Duration
	idrs   uint64
	total  uint64        // bytes ever appended
	rate   float64       // bytes/s of what is held; 0: less than a second of it is
	due    time.Duration // when the next start is expected; 0: not known
}

func (b *Buffer) window() window {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.windowLocked()
}

func (b *Buffer) windowLocked() window {
	w := window{next: b.next, key: b.key, hasKey: b.hasKey, isIDR: b.starts == idr, head: b.head, idrs: b.idrs}
	if b.hasKey {
		w.keyPTS = b.slot(b.key).pts
	}
	w.total = b.total
	if b.gop > 0 {
		w.due = b.began + b.gop
	}
	if b.oldest < b.next {
		oldest := b.slot(b.oldest)
		if held := (b.head - oldest.pts).Seconds(); held >= 1 {
			w.rate = float64(b.total-oldest.total) / held
		}
	}
	return w
}

// readResult says whether a packet could be read.
type readResult int

const (
	held  readResult = iota // it was copied
	ahead                   // it is yet to come
	gone                    // it has been dropped
)

// read copies packet i into p and uses the buffer of p's payload again.
func (b *Buffer) read(i uint64, p *Packet) (readResult, window) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.windowLocked()
	switch {
	case i >= b.next:
		return ahead, w
	case i < b.oldest:
		return gone, w
	}
	payload := p.Payload
	*p = *b.slot(i)
	p.Payload = append(payload[:0], p.Payload...)
	return held, w
}

// Notify sends to wake after every frame, without waiting, until cancel is called.
func (b *Buffer) Notify(wake chan<- struct{}) (cancel func()) {
	b.readers.Change(func(l []chan<- struct{}) []chan<- struct{} { return append(slices.Clone(l), wake) })
	return func() {
		b.readers.Change(func(l []chan<- struct{}) []chan<- struct{} {
			return slices.DeleteFunc(slices.Clone(l), func(w chan<- struct{}) bool { return w == wake })
		})
	}
}
