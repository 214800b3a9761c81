package live

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what a viewer is sent at once. A receiver's socket takes about 90
// packets by Linux's default and fewer in a browser; a large key frame that leaves
// by offload would be there before anyone reads.
const (
	burstBytes = 32 << 10 // then a pause: 260 Mbit/s
	burstPause = time.Millisecond
	resendRate = 256 // packets sent again in a second. docs/protocol.md 7.4.3
)

// viewer sends to one session. Its goroutine alone writes: media, what is sent
// again, and reports; so when run has returned, nothing leaves any more.
type viewer struct {
	lanes    []*lane                          // video first
	report   func(l *lane, now time.Duration) // writes the lane's sender report
	keyframe func()                           // asks the encoder for a key frame
	force    bool                             // the encoder answers it

	wake     chan struct{}
	nacks    chan uint16 // sequence numbers of video that are asked for again
	heard    atomic.Bool // a report has come since the last second
	begs     atomic.Bool // and one that asks for a key frame
	counters *counters

	budget  int  // packets that may be sent again now
	burst   int  // bytes sent since the last pause or the last frame in time
	paused  bool // until the pause after a burst is over
	sent    int  // packets sent since the last second
	silence int  // seconds with media and without a report
	hunger  hunger
}

// lane is one track and the viewer's place in its ring.
type lane struct {
	track  *track
	walker *walker
	batch  *batch // nil: packets leave singly

	packet, again packet
	header        rtp.Header
	packets       uint32 // sent, for the sender report
	bytes         uint32 // of payload
}

func newLane(t *track, r *ring) *lane {
	return &lane{track: t, walker: newWalker(r)}
}

func newViewer(c *counters, keyframe func(), force bool) *viewer {
	return &viewer{
		counters: c,
		keyframe: keyframe, force: force, budget: resendRate,
		wake: make(chan struct{}, 1), nacks: make(chan uint16, nackQueue),
	}
}

// run sends until ctx ends. It returns why it ended by itself, nil if it did not.
func (v *viewer) run(ctx context.Context) error {
	for _, l := range v.lanes {
		defer l.walker.ring.watch(v.wake)()
		if l.walker.join(v.force && l.video()) {
			v.keyframe()
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	return v.loop(ctx, tick.C)
}

func (v *viewer) loop(ctx context.Context, tick <-chan time.Time) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.wake:
		case <-pause.C:
			v.burst, v.paused = 0, false
		case seq := <-v.nacks:
			v.resend(ctx, v.lanes[0], seq) // video alone is asked for again
		case <-tick:
			if err := v.second(); err != nil {
				return err
			}
		}
		v.drain(ctx)
		if v.burst >= burstBytes && !v.paused {
			v.paused = true
			pause.Reset(burstPause)
		}
	}
}

// second does what is due once a second. An error says why the session ends: the viewer
// has been silent, or waits in vain for a picture to begin with.
func (v *viewer) second() error {
	v.budget = resendRate
	now := media.Now()
	for _, l := range v.lanes {
		if l.packets > 0 {
			v.report(l, now)
		}
		l.walker.settle()
		if l.video() && v.hunger.second(l.walker, v.begs.Swap(false)) {
			return endReason(proto.EndPicture)
		}
	}
	if v.heard.Swap(false) {
		v.silence = 0
	} else if v.sent > 0 {
		v.silence++
	}
	v.sent = 0
	if v.silence >= silentSeconds {
		return endReason(proto.EndSilent)
	}
	return nil
}

// drain sends what the rings hold for this viewer, and stops when a pause is due.
func (v *viewer) drain(ctx context.Context) {
	for _, l := range v.lanes {
		for v.burst < burstBytes && ctx.Err() == nil && v.frame(ctx, l) {
		}
	}
}

// frame sends one frame, or what there is of it and a burst allows, as one batch.
func (v *viewer) frame(ctx context.Context, l *lane) (more bool) {
	l.batch.begin()
	defer l.batch.flush()
	for v.burst < burstBytes && ctx.Err() == nil {
		skips := l.walker.skips
		ok, newest := l.walker.pull(&l.packet)
		if n := l.walker.skips - skips; n > 0 {
			v.skipped(n, l)
		}
		if !ok {
			return false
		}
		l.send(&l.packet, l.walker.seq)
		l.walker.advance()
		v.count(l)
		if l.packet.last {
			l.batch.flush()
			v.ended(l, newest)
			return true
		}
	}
	return false
}

func (v *viewer) skipped(n int, l *lane) {
	v.counters.skips.Add(uint64(n))
	if l.walker.waiting && v.force && l.video() {
		v.keyframe()
	}
}

func (v *viewer) count(l *lane) {
	n := len(l.packet.payload)
	l.packets++
	l.bytes += uint32(n)
	v.sent++
	v.counters.packets.Add(1)
	v.counters.bytes.Add(uint64(n))
	v.burst += n
}

func (v *viewer) ended(l *lane, newest bool) {
	v.counters.frames.Add(1)
	if !newest {
		return
	}
	v.burst = 0
	if l.video() {
		v.counters.delay.add(media.Now() - l.packet.published)
	}
}

// resend answers a NACK, and those that wait behind it, out of the ring.
func (v *viewer) resend(ctx context.Context, l *lane, seq uint16) {
	l.batch.begin()
	defer l.batch.flush()
	for ctx.Err() == nil {
		full, ok := l.walker.again(seq, &l.again)
		if ok && v.budget > 0 {
			v.budget--
			v.counters.resent.Add(1)
			l.send(&l.again, full)
		}
		select {
		case seq = <-v.nacks:
		default:
			return
		}
	}
}

func (l *lane) video() bool { return l.walker.ring.markers }

// send writes one packet. The header of a packet is the same each time: AES-GCM
// must never see two under one number (RFC 7714 section 8.4). An error is the
// transport's, whose state ends the session.
func (l *lane) send(p *packet, seq uint64) {
	l.header = l.track.header
	l.header.SequenceNumber = uint16(seq)
	l.header.Timestamp = p.timestamp
	l.header.Marker = p.marker
	_, _ = l.track.writer.WriteRTP(&l.header, p.payload)
}
