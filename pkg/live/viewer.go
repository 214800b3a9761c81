package live

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/live/congestion"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

// What is assumed of a path.
const (
	pathStart = 1_500_000             // bit/s, before anything is known
	pathLeast = 100_000               // bit/s, of an estimate
	pathMost  = 60_000_000            // bit/s, of an estimate
	pathTick  = 50 * time.Millisecond // the least time between two calls of the controller's Tick
	// measureTime is how long the first probes of a path take: before, the cursor doesn't
	// go by the estimate.
	measureTime = 1500 * time.Millisecond
	// A change of the estimate to less than fallen of what was published last, or to more
	// than risen, is published at once.
	fallen, risen = 0.9, 1.25
	// rescueGap is the least time between two key frames that are made because one viewer
	// is too slow to go on with what it has.
	rescueGap = 5 * time.Second
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
	force     bool                        // the encoder makes one when it is asked
	isNear    func() bool                 // reports whether the viewer is in the same network
	changed   func()                      // called when counters.path is new: once a second, and when the estimate changes much

	wake      chan struct{}
	nacks     chan uint16 // sequence numbers of video that are asked for again
	reports   chan report
	allowance *rate.Limiter // of reports
	near      atomic.Bool   // what isNear returned last; false once lossy is true
	moved     atomic.Bool   // the path has changed since the viewer looked at it
	reported  atomic.Bool   // a report has come in this second
	asked     atomic.Bool   // a request for a key frame has come in this second
	counters  *counters

	streams *streams // of pictures; nil: there is no choice
	path    *congestion.Controller
	full    int           // bit/s, the most that pictures take, key frames too; 0: not known
	bound   int           // bit/s, the most that the viewer wants to be sent (b=TIAS); 0: there is no bound
	told    int           // bit/s, the estimate in counters.path
	known   bool          // a report has said how much the path carries: feedback or REMB; receiver reports don't
	ticked  time.Duration // when the controller's Tick was called last
	pacer   pacer
	lossy   bool          // more than nearLoss of the packets was lost at some time
	tries   int           // how many more times isNear is called
	repeats int           // bytes that may be sent again in this second
	more    bool          // something waits for the pacer
	waited  time.Duration // the longest that a picture waited before it left, since publish
	began   time.Duration // when run began to send
	rescued time.Duration // when a key frame was last asked for because the viewer would not have caught up
	sent    int           // packets sent in this second
	before  uint64        // bytes that were sent before this second
	silence int           // seconds with media and without a report
	picture pictureTimeout
	haste   *haste
	nacked  uint64 // counters.nacks a second ago
}

func newViewer(c *counters, keyframe func(), force bool) *viewer {
	v := &viewer{
		counters: c, haste: &haste{},
		keyframe: keyframe, force: force, isNear: func() bool { return false }, changed: func() {}, tries: nearTries,
		wake: make(chan struct{}, 1), nacks: make(chan uint16, nackQueue),
		reports: make(chan report, reportQueue), allowance: rate.NewLimiter(reportRate, reportBurst),
		path:  congestion.New(congestion.Config{Start: pathStart, Min: pathLeast, Max: pathMost}),
		pacer: newPacer(),
	}
	v.repeats = v.allowedRepeats()
	return v
}

// run sends until ctx ends, and then returns nil. An error says why it ended by itself.
func (v *viewer) run(ctx context.Context) error {
	v.ticked = media.Now()
	for _, t := range v.tracks {
		if v.streams == nil || !t.video() { // else streams.hold has done it
			defer t.cursor.Buffer().Notify(v.wake)()
		}
		if t.cursor.Join(v.force && t.video()) {
			v.keyframe()
		}
	}
	if !v.near.Load() {
		v.near.Store(v.isNear())
	}
	v.began = media.Now()
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
			v.pacer.paused = false
		case <-tick:
			if err := v.second(); err != nil {
				return err
			}
		}
		v.turn(ctx, media.Now())
		if v.more && !v.pacer.paused {
			v.pacer.paused = true
			pause.Reset(v.pacer.pause())
		}
	}
}

// second does what is due once a second. An error says why the session ends: the viewer
// has been silent, or has waited too long for a picture to start with.
func (v *viewer) second() error {
	now := media.Now()
	p := v.publish()
	for _, t := range v.tracks {
		if t.video() && v.full > 0 { // a camera's own encoder may take more than it is configured for
			v.path.Need(max(v.full, t.cursor.Buffer().Bitrate()))
		}
		if t.packets > 0 {
			_ = v.writeRTCP(append(t.report(now), rtc.PathReport{Estimate: p.Estimate, Queue: p.Queue}.Packet(t.track.ssrc)))
		}
		t.cursor.Settle()
		if t.cursor.Target() != t.cursor.Buffer() {
			v.keyframe() // the cursor goes to the other stream at its next one
		}
		if t.cursor.GaveUp() && v.force && now-v.rescued >= rescueGap { // rarely: all viewers are sent it
			v.rescued = now
			v.keyframe()
		}
		if t.video() && v.picture.second(t, v.asked.Swap(false)) {
			return endReason(proto.EndPicture)
		}
	}
	v.checkNear()
	v.chooseHaste()
	v.repeats = v.allowedRepeats()
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

// publish stores what is known of the path for Stats, and returns it.
func (v *viewer) publish() *Path {
	p := &Path{Trip: v.path.RTT(), Loss: v.path.Loss(), Near: v.near.Load(), Queue: v.waited}
	v.waited = 0
	if v.known {
		p.Estimate = v.path.Estimate()
	}
	v.told = p.Estimate
	v.counters.path.Store(p)
	v.changed()
	return p
}

// turn sends what may leave now: sound first, then what is asked for again, then
// pictures, then padding.
func (v *viewer) turn(ctx context.Context, now time.Duration) {
	v.listen()
	if v.moved.Swap(false) {
		v.newPath()
	}
	if now-v.ticked >= pathTick {
		v.ticked = now
		v.path.Tick(now)
		v.chooseStream(now)
		if e := float64(v.path.Estimate()); v.known && (e < fallen*float64(v.told) || e > risen*float64(v.told)) {
			waited := v.waited
			v.publish() // the encoder must not wait until the second is over
			v.waited = waited
		}
	}
	v.pacer.refill(now, v.rate())
	v.more = false
	for _, t := range slices.Backward(v.tracks) { // sound is the last one
		if t.video() {
			t.cursor.Pace(v.measured(now))
			v.resend(ctx, now, t)
		}
		for ctx.Err() == nil && v.frame(ctx, now, t) {
		}
		if t.video() {
			v.pad(ctx, now, t)
		}
	}
}

// rate returns how many bit/s may leave now.
func (v *viewer) rate() int {
	if v.near.Load() {
		return nearRate
	}
	return v.path.PacingRate()
}

// measured returns how many bit/s the path carries, or 0 if it has not been measured yet.
func (v *viewer) measured(now time.Duration) int {
	switch {
	case v.near.Load():
		return nearRate
	case !v.known || now-v.began < measureTime:
		return 0
	}
	return v.path.Estimate()
}

// frame sends one frame, or what the pacer allows of it, as one batch. It reports
// whether there may be more. Sound never waits for the pacer, but what it takes, pictures
// can't use.
func (v *viewer) frame(ctx context.Context, now time.Duration, t *trackSender) (more bool) {
	t.batch.Begin()
	defer t.batch.Flush()
	for ctx.Err() == nil {
		if t.video() && !v.pacer.open() {
			v.more = true
			return false
		}
		skips := t.cursor.Skips()
		seq, ok := t.cursor.Next(&t.packet)
		if n := t.cursor.Skips() - skips; n > 0 {
			v.counters.skips.Add(uint64(n))
			if t.cursor.Waiting() && !t.cursor.GaveUp() && v.force && t.video() {
				v.keyframe()
			}
		}
		if !ok {
			return false
		}
		v.pacer.spend(t.send(now, &t.packet, seq))
		v.count(t, len(t.packet.Payload))
		if t.video() {
			v.waited = max(v.waited, now-max(t.packet.Published, v.began))
		}
		if t.packet.Last {
			t.batch.Flush()
			v.counters.frames.Add(1)
			if t.packet.Newest && t.video() {
				v.counters.delay.add(media.Now() - t.packet.Published)
			}
			return true
		}
	}
	return false
}

func (v *viewer) count(t *trackSender, payload int) {
	t.packets++
	t.bytes += uint32(payload)
	v.sent++
	v.counters.packets.Add(1)
	v.counters.bytes.Add(uint64(payload))
}

// leastRepeats may be sent again in a second in every case: 256 packets.
const leastRepeats = 256 * leastBatch // bytes

// allowedRepeats returns how many bytes may be sent again in a second: what the path
// carries, but no more than was sent in the last second, since what the path carries is the
// viewer's word. Less would not be enough where losses come in bursts and some of what is
// sent again is lost, too: a packet that is not sent again freezes the picture until the next
// key frame. docs/protocol.md 7.4.3.
func (v *viewer) allowedRepeats() int {
	bps := v.path.Estimate()
	if v.near.Load() {
		bps = nearRate
	}
	bytes := v.counters.bytes.Load()
	sent := int(bytes - v.before) //nolint:gosec // of one second
	v.before = bytes
	return min(bps/8, max(sent, leastRepeats))
}

// resend answers the NACKs that wait, out of the buffer.
func (v *viewer) resend(ctx context.Context, now time.Duration, t *trackSender) {
	t.batch.Begin()
	defer t.batch.Flush()
	for ctx.Err() == nil {
		if !v.pacer.open() {
			v.more = v.more || len(v.nacks) > 0
			return
		}
		select {
		case wire := <-v.nacks:
			v.haste.set(true) // more is likely to be missing, and asked for; chooseHaste ends it
			if v.repeats <= 0 {
				continue
			}
			if n := t.resend(now, now-v.path.RTT(), wire); n > 0 {
				v.repeats -= n
				v.pacer.spend(n)
				v.counters.resent.Add(1)
			}
		default:
			return
		}
	}
}

// pad sends what a probe of the path lacks, if no picture waits. What the path carries
// doesn't matter to a viewer in the same network.
func (v *viewer) pad(ctx context.Context, now time.Duration, t *trackSender) {
	if v.more || v.near.Load() || v.path.Probe(now) == 0 {
		return
	}
	t.batch.Begin()
	defer t.batch.Flush()
	for ctx.Err() == nil && v.path.Probe(now) > 0 {
		if !v.pacer.open() {
			v.more = true
			return
		}
		n := t.pad(now)
		if n == 0 {
			return // nothing to pad with
		}
		v.pacer.spend(n)
		v.counters.padding.Add(uint64(n))
	}
}
