package live

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestWhichLossSoundIsPreparedFor(t *testing.T) {
	for name, c := range map[string]struct {
		set  int
		age  time.Duration
		lost []float64
		want int
	}{
		"nobody listens":            {0, time.Second, nil, 0},
		"nothing is lost":           {0, time.Second, []float64{0, 0}, 0},
		"too little":                {0, time.Second, []float64{0.009}, 0},
		"the highest":               {0, time.Second, []float64{0, 0.03, 0.01}, 3},
		"rounded up":                {0, time.Second, []float64{0.051}, 6},
		"all":                       {0, time.Second, []float64{1}, mostSoundLoss},
		"rises at once":             {3, time.Second, []float64{0.1}, 10},
		"counts for a while":        {10, soundLossKept - 1, []float64{0}, 10},
		"and then no more":          {10, soundLossKept, []float64{0}, 0},
		"falls after a while":       {10, soundLossKept, []float64{0.02}, 2},
		"no more when nobody is on": {10, time.Second, nil, 0},
	} {
		now := time.Now()
		l := soundLoss{c.set, now.Add(-c.age)}
		if got := l.next(now, c.lost); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// fakeMicrophone passes on what it is told.
type fakeMicrophone chan int

func (m fakeMicrophone) SetLoss(percent int) { m <- percent }

// TestLostSoundIsReported has one viewer report loss of its sound, and then go.
func TestLostSoundIsReported(t *testing.T) {
	const opus = "a=rtpmap:96 opus/48000/2\r\n"
	for name, c := range map[string]struct {
		parameters string
		want       int
	}{
		"a viewer with FEC":          {"a=fmtp:96 minptime=10;useinbandfec=1\r\n", 13},
		"a viewer without FEC":       {"a=fmtp:96 minptime=10;useinbandfec=0\r\n", 0},
		"a viewer that says nothing": {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(fakeMicrophone, 100)
			r := newTestRig(t, DefaultConfig(), newCamera(false), func(d *Deps) { d.Microphone = told })
			r.stream(10*time.Millisecond, 10)
			p := watch(t, r, "one", peerOptions{edit: func(offer string) string { return strings.Replace(offer, opus, opus+c.parameters, 1) }})
			if with := strings.Contains(p.answer, "useinbandfec=1"); with != (c.want > 0) {
				t.Errorf("useinbandfec=1 is in the answer: %v\n%s", with, p.answer)
			}
			source := get(t, p.audio).SSRC
			report := &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: source, FractionLost: 32}}}
			must(t, p.pc.WriteRTCP([]rtcp.Packet{report}))
			eventually(t, "the report has come", func() bool { return p.session.Stats().SoundLoss == 0.125 })
			r.steer(time.Now())
			must(t, r.Bye("c", "one"))
			<-p.session.Done()
			if c.want == 0 {
				if len(told) > 0 {
					t.Errorf("the microphone is told %d", <-told)
				}
				return
			}
			if got := <-told; got != c.want {
				t.Errorf("the microphone is told %d, want %d", got, c.want)
			}
			if got := <-told; got != 0 {
				t.Errorf("when the viewer has gone, the microphone is told %d, want 0", got)
			}
		})
	}
}
