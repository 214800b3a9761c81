package live

import (
	"log/slog"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

// Stats is what a session has sent, and got, so far.
type Stats struct {
	Frames, Packets, Bytes uint64 // video and audio; payload bytes
	Skips                  uint64 // times that the viewer was too slow and went on at a key frame
	NACKs                  uint64 // packets asked for again
	Resent                 uint64 // of these, sent again
	Padding                uint64 // bytes sent to find out what the path carries
	Unread                 uint64 // reports that were dropped, since there were too many
	KeyframeRequests       uint64 // PLI and FIR
	Heard                  uint64 // packets of the viewer's voice that someone heard
	Unheard                uint64 // of all else that it sent as media: dropped
	// Delay is how long frames took from Publish to the sending of their last packet,
	// without those that a new viewer catches up on.
	Delay Distribution
	Path  Path
	// SoundLoss is which part of the packets of sound was lost, by the viewer's last report
	// on it.
	SoundLoss float64
}

// Path is what is known of the path to a viewer.
type Path struct {
	Estimate int           // bit/s that it carries; 0: the viewer reports nothing that tells
	Trip     time.Duration // round trip; 0: not known
	Loss     float64       // share of packets that were lost lately, from 0 to 1
	Queue    time.Duration // the longest that a picture waited before it left, in the last second
	Near     bool          // the viewer is in the same network
}

// wish returns what pictures for the viewer may take at most, in bit/s; 0: no bound.
// tias is what the viewer wants, age is the session's.
func (p Path) wish(tias int, age time.Duration) int {
	young := age < estimateAge && p.Estimate >= pathStart
	if p.Estimate == 0 || p.Near || young {
		return tias
	}
	can := max(int(videoShare*float64(p.Estimate-soundRate)), 1)
	if tias > 0 {
		return min(can, tias)
	}
	return can
}

// LogValue is the line at a session's end.
func (s Stats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Uint64("frames", s.Frames), slog.Uint64("packets", s.Packets), slog.Uint64("bytes", s.Bytes),
		slog.Uint64("skips", s.Skips), slog.Uint64("nacks", s.NACKs), slog.Uint64("resent", s.Resent),
		slog.Uint64("padding", s.Padding), slog.Uint64("unread", s.Unread),
		slog.Uint64("keyframe_requests", s.KeyframeRequests),
		slog.Uint64("heard", s.Heard), slog.Uint64("unheard", s.Unheard),
		slog.Int("estimate", s.Path.Estimate), slog.Duration("round_trip", s.Path.Trip), slog.Float64("loss", s.Path.Loss),
		slog.Float64("sound_loss", s.SoundLoss),
		slog.Duration("queue", s.Path.Queue), slog.Bool("near", s.Path.Near),
		slog.Duration("delay_p50", s.Delay.Quantile(0.5)), slog.Duration("delay_p99", s.Delay.Quantile(0.99)))
}

// counters are Stats while they are counted, by the viewer's goroutine and those that
// read its reports.
type counters struct {
	frames, packets, bytes, skips, nacks, resent, keyframes atomic.Uint64
	padding, unread, heard, unheard                         atomic.Uint64
	soundLoss                                               atomic.Uint32 // in 1/256
	soundLossAt                                             atomic.Int64  // media.Now of it
	delay                                                   histogram
	path                                                    atomic.Pointer[Path] // nil: nothing has been sent
}

// lostSound returns Stats.SoundLoss. What was reported long ago says nothing of now.
func (c *counters) lostSound() float64 {
	if media.Now()-time.Duration(c.soundLossAt.Load()) >= soundLossKept {
		return 0
	}
	return float64(c.soundLoss.Load()) / 256
}

func (c *counters) snapshot() Stats {
	var path Path
	if p := c.path.Load(); p != nil {
		path = *p
	}
	return Stats{
		Path:   path,
		Frames: c.frames.Load(), Packets: c.packets.Load(), Bytes: c.bytes.Load(), Skips: c.skips.Load(),
		NACKs: c.nacks.Load(), Resent: c.resent.Load(), KeyframeRequests: c.keyframes.Load(),
		Padding: c.padding.Load(), Unread: c.unread.Load(), Heard: c.heard.Load(), Unheard: c.unheard.Load(),
		Delay: c.delay.snapshot(), SoundLoss: c.lostSound(),
	}
}

// Classes of a Distribution: eight for each doubling of microseconds, up to 67 s.
const (
	perOctave = 8
	classes   = perOctave * 26
)

// Distribution counts durations in classes that grow by an eighth of an octave.
type Distribution [classes]uint32

type histogram [classes]atomic.Uint32

func (h *histogram) add(d time.Duration) { h[class(d)].Add(1) }

func (h *histogram) snapshot() (d Distribution) {
	for i := range h {
		d[i] = h[i].Load()
	}
	return d
}

// class returns the class of d: the position of its highest bit in µs, and the three below.
func class(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < perOctave {
		return int(us)
	}
	octave := bits.Len64(us) - 3 // 1 for 8 to 15
	return min(octave*perOctave+int(us>>(octave-1))&(perOctave-1), classes-1)
}

// ceiling returns the largest duration of a class.
func ceiling(class int) time.Duration {
	octave, part := class/perOctave, class%perOctave
	if octave == 0 {
		return time.Duration(part) * time.Microsecond
	}
	return time.Duration((perOctave+part+1)<<(octave-1)-1) * time.Microsecond
}

// Quantile returns an upper bound of what the share q of the durations does not exceed.
func (d Distribution) Quantile(q float64) time.Duration {
	var total uint64
	for _, n := range d {
		total += uint64(n)
	}
	rest := uint64(q * float64(total))
	for i, n := range d {
		if uint64(n) > rest {
			return ceiling(i)
		}
		rest -= uint64(n)
	}
	return 0
}
