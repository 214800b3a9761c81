package receive

import (
	"math"
	"time"

	"github.com/pion/rtcp"
)

// unwrap continues 32-bit RTP timestamps (RFC 3550 section 5.1) beyond their range.
type unwrap struct {
	last    int64
	started bool
}

func (u *unwrap) add(timestamp uint32) int64 {
	if !u.started {
		u.started, u.last = true, int64(timestamp)
		return u.last
	}
	u.last += int64(int32(timestamp - uint32(u.last)))
	return u.last
}

// senderClock converts RTP timestamps to the camera's wall clock, by its last sender
// report (RFC 3550 section 6.4.1). Picture and sound are synchronized by it.
type senderClock struct {
	rate int
	wall time.Time // zero: no report yet
	rtp  uint32
}

// report takes the times of a report. The wall clock's is 32.32 fixed point (RFC 5905 section 6).
func (c *senderClock) report(r *rtcp.SenderReport) {
	c.wall = time.Unix(int64(r.NTPTime>>32)+ntpEpoch, int64((r.NTPTime&math.MaxUint32)*1e9>>32))
	c.rtp = r.RTPTime
}

// at returns the time of an RTP timestamp; zero before the first report.
func (c *senderClock) at(timestamp uint32) time.Time {
	if c.wall.IsZero() {
		return time.Time{}
	}
	ticks := int64(int32(timestamp - c.rtp))
	return c.wall.Add(time.Duration(ticks) * time.Second / time.Duration(c.rate))
}

// ntpEpoch is 1 January 1900 in Unix seconds.
const ntpEpoch = -2208988800

// jitter is the interarrival jitter of RFC 3550 section 6.4.1, in ticks.
type jitter struct {
	timestamp uint32
	arrived   time.Time // zero: no packet yet
	value     float64
}

func (j *jitter) add(timestamp uint32, arrived time.Time, rate int) {
	if !j.arrived.IsZero() {
		sent := float64(int32(timestamp - j.timestamp))
		j.value += (math.Abs(arrived.Sub(j.arrived).Seconds()*float64(rate)-sent) - j.value) / 16
	}
	j.timestamp, j.arrived = timestamp, arrived
}
