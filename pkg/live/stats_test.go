package live

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media"
)

func TestClassesCoverEveryDuration(t *testing.T) {
	last := -1
	for us := range 1 << 20 {
		d := time.Duration(us) * time.Microsecond
		c := class(d)
		if c != last && c != last+1 {
			t.Fatalf("%v is class %d after %d", d, c, last)
		}
		if top := ceiling(c); d > top || float64(top) > float64(d)*1.13+1000 {
			t.Fatalf("%v is in the class up to %v", d, top)
		}
		last = c
	}
	if c := class(time.Hour); c != classes-1 {
		t.Errorf("an hour is class %d", c)
	}
	if c := class(-time.Second); c != 0 {
		t.Errorf("a negative duration is class %d", c)
	}
}

func TestQuantile(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i) * time.Microsecond)
	}
	d := h.snapshot()
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond} {
		if got := d.Quantile(q); got < want || float64(got) > 1.13*float64(want)+1000 {
			t.Errorf("quantile %v = %v, want about %v", q, got, want)
		}
	}
	if got := (Distribution{}).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

func TestNTPTime(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 500_000_000, time.UTC)
	const seconds = 3918196800 // since 1900
	if got := ntpTime(at); got != seconds<<32|1<<31 {
		t.Errorf("got %x, want %x", got, uint64(seconds<<32|1<<31))
	}
}

// Both tracks' reports lay their RTP clocks on one wall clock: a moment of capture
// gets the same wall time by either.
func TestSenderReportsMapToOneClock(t *testing.T) {
	video := newTrackSender(&track{ssrc: 1, stream: "s"}, nil, packets.New(rtc.VideoClock, true))
	audio := newTrackSender(&track{ssrc: 2, stream: "s"}, nil, packets.New(rtc.AudioClock, false))
	moment := 100 * time.Second // of capture
	wall := func(l *trackSender, clock int, at time.Duration) time.Duration {
		r := l.report(at)[0].(*rtcp.SenderReport)
		ticks := int32(l.cursor.Buffer().Timestamp(moment) - r.RTPTime)
		since := time.Duration(ticks) * time.Second / time.Duration(clock)
		return time.Duration(r.NTPTime>>32)*time.Second + time.Duration(r.NTPTime&0xffffffff)*time.Second>>32 + since
	}
	v := wall(video, rtc.VideoClock, moment+3*time.Second+777*time.Microsecond)
	a := wall(audio, rtc.AudioClock, moment+4*time.Second+123*time.Microsecond)
	want := time.Duration(ntpTime(media.Wall(moment))>>32) * time.Second
	if d := v - a; d < -30*time.Microsecond || d > 30*time.Microsecond {
		t.Errorf("video and audio differ by %v, want less than a tick of each", d)
	}
	if d := v - want; d < 0 || d > time.Second {
		t.Errorf("reports are %v off the wall clock", d)
	}
	sdes := video.report(moment)[1].(*rtcp.SourceDescription)
	if got := sdes.Chunks[0]; got.Source != 1 || got.Items[0].Text != "s" {
		t.Errorf("source description %+v", got)
	}
}
