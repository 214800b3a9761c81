package lab

import (
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/lab/agent"
)

// small is a picture that the encoder has no trouble with.
const small = "[capture]\nwidth = 320\nheight = 180\nrate = 15\n"

// TestClockEndsStreams: T6. Real streams end when the device's clock passes the end of
// a schedule or of a grant, or when nothing vouches for it any more; a clock that is
// set back or forward by a year opens none.
func TestClockEndsStreams(t *testing.T) {
	h := move(t, ARM64, small+silent, vivid)
	h.reported("camera", "ok")
	now := time.Now().UTC().Truncate(time.Minute)
	h.clock(now, true)
	const minutes = "15:04"
	ben := h.invite("Ben", "--weekly",
		now.Add(-time.Hour).Format(minutes)+"-"+now.Add(time.Hour).Format(minutes)) // each day
	cleo := h.invite("Cleo", "--until", now.Add(2*time.Hour).Format(time.RFC3339))

	b, c := ben.watch(), cleo.watch()
	b.more(second{}, 1)
	before := c.more(second{}, 1)
	h.clock(now.Add(time.Hour-2*time.Second), true)
	b.ended(proto.CodeSchedule)
	ben.refused(proto.CodeSchedule, "watch", "--seconds", "1")

	c.more(before, 15)
	h.clock(now.Add(2*time.Hour-2*time.Second), true)
	c.ended(proto.CodeExpired)
	cleo.refused(proto.CodeExpired, "watch", "--seconds", "1")

	h.clock(now.AddDate(-1, 0, 0), true)
	ben.refused(proto.CodeClock, "watch", "--seconds", "1")
	cleo.refused(proto.CodeClock, "watch", "--seconds", "1")
	h.clock(now.AddDate(1, 0, 0), true)
	ben.refused(proto.CodeClock, "watch", "--seconds", "1")

	h.clock(now, true)
	b = ben.watch()
	b.more(second{}, 1)
	h.clock(now, false)
	b.ended(proto.CodeClock)
	h.record("1") // an owner's right depends on no clock
	h.stop()
}

// clock sets the guest's clock, which runs on from there.
func (h *household) clock(now time.Time, synchronised bool) {
	h.t.Helper()
	must(h.t, h.SetClock(patient(h.t), agent.Clock{Time: now, Synchronised: synchronised}))
}
