package live

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

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
	// nackQueue bounds the requests that wait for the viewer's goroutine; what does
	// not fit is asked for again by the receiver.
	nackQueue = 64
)

// silentSeconds is how long a viewer may send no report. docs/protocol.md 7.5.
const silentSeconds = 30

// endReason is the cause of a session's context when the session itself ends it.
type endReason string

func (r endReason) Error() string { return string(r) }

// viewer sends to one session. Only its goroutine writes: media, what is sent again,
// and reports. So nothing leaves once run has returned.
type viewer struct {
	tracks    []*trackSender              // video first
	writeRTCP func(p []rtcp.Packet) error // fails only on a closed connection
	keyframe  func()                      // asks the encoder for a key frame
	force     bool                        // the encoder answers it

	wake     chan struct{}
	nacks    chan uint16 // sequence numbers of video that are asked for again
	reported atomic.Bool // a report has come in this second
	asked    atomic.Bool // a request for a key frame has come in this second
	counters *counters

	resends int  // packets that may be sent again in this second
	burst   int  // bytes sent since the last pause or the last frame in time
	paused  bool // until the pause after a burst is over
	sent    int  // packets sent in this second
	silence int  // seconds with media and without a report
	picture pictureTimeout
}

func newViewer(c *counters, keyframe func(), force bool) *viewer {
	return &viewer{
		counters: c,
		keyframe: keyframe, force: force, resends: resendRate,
		wake: make(chan struct{}, 1), nacks: make(chan uint16, nackQueue),
	}
}

// run sends until ctx ends, and then returns nil. An error says why it ended by itself.
func (v *viewer) run(ctx context.Context) error {
	for _, t := range v.tracks {
		defer t.buffer.Notify(v.wake)()
		if t.cursor.Join(v.force && t.video()) {
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
			v.resend(ctx, v.tracks[0], seq) // NACKs for audio are not kept
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
// has been silent, or has waited too long for a picture to start with.
func (v *viewer) second() error {
	v.resends = resendRate
	now := media.Now()
	for _, t := range v.tracks {
		if t.packets > 0 {
			_ = v.writeRTCP(t.report(now))
		}
		t.cursor.Settle()
		if t.video() && v.picture.second(t, v.asked.Swap(false)) {
			return endReason(proto.EndPicture)
		}
	}
	if v.reported.Swap(false) {
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

// drain sends what the buffers hold for this viewer, and stops when a pause is due.
func (v *viewer) drain(ctx context.Context) {
	for _, t := range v.tracks {
		for v.burst < burstBytes && ctx.Err() == nil && v.frame(ctx, t) {
		}
	}
}

// frame sends one frame, or what a burst allows of it, as one batch. It reports whether
// there may be more.
func (v *viewer) frame(ctx context.Context, t *trackSender) (more bool) {
	t.batch.Begin()
	defer t.batch.Flush()
	for v.burst < burstBytes && ctx.Err() == nil {
		skips := t.cursor.Skips()
		seq, ok := t.cursor.Next(&t.packet)
		if n := t.cursor.Skips() - skips; n > 0 {
			v.counters.skips.Add(uint64(n))
			if t.cursor.Waiting() && v.force && t.video() {
				v.keyframe()
			}
		}
		if !ok {
			return false
		}
		t.send(&t.packet, seq)
		n := len(t.packet.Payload)
		t.packets++
		t.bytes += uint32(n)
		v.sent++
		v.burst += n
		v.counters.packets.Add(1)
		v.counters.bytes.Add(uint64(n))
		if t.packet.Last {
			t.batch.Flush()
			v.counters.frames.Add(1)
			if t.packet.Newest {
				v.burst = 0
			}
			if t.packet.Newest && t.video() {
				v.counters.delay.add(media.Now() - t.packet.Published)
			}
			return true
		}
	}
	return false
}

// resend answers a NACK, and those that wait behind it, out of the buffer.
func (v *viewer) resend(ctx context.Context, t *trackSender, wire uint16) {
	t.batch.Begin()
	defer t.batch.Flush()
	for ctx.Err() == nil {
		seq, ok := t.cursor.Sent(wire, &t.resent)
		if ok && v.resends > 0 {
			v.resends--
			v.counters.resent.Add(1)
			t.send(&t.resent, seq)
		}
		select {
		case wire = <-v.nacks:
		default:
			return
		}
	}
}
