package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/client/receive"
	"github.com/camd-project/camd/pkg/proto"
)

// TestMonitorEndsOnlyWhatHasGone has a camera that sends a packet every 40 ms until some
// time, and a broker that says at another one that it is gone.
func TestMonitorEndsOnlyWhatHasGone(t *testing.T) {
	const never = time.Hour
	for name, c := range map[string]struct {
		sends, offline, back time.Duration // until when it sends; when the broker says so; when it sends again
		lost                 bool
	}{
		"killed":                                  {5 * time.Second, 5*time.Second + 5*time.Millisecond, never, true},
		"killed, with packets on their way":       {5 * time.Second, 4500 * time.Millisecond, never, true},
		"killed, and the broker is late":          {5 * time.Second, 20 * time.Second, never, true},
		"the broker's connection is lost":         {never, 5 * time.Second, never, false},
		"nothing comes, and the broker is silent": {5 * time.Second, never, never, false},
		"a pause": {5 * time.Second, never, 8 * time.Second, false},
		"the broker's word of long ago, and a pause": {9 * time.Second, 5 * time.Second, 12 * time.Second, false},
		"nothing ever came":                          {0, 5 * time.Second, never, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				heard := func() time.Time {
					switch d := time.Since(began); {
					case c.sends == 0:
						return time.Time{}
					case d < c.sends, d >= c.back:
						return time.Now().Truncate(40 * time.Millisecond)
					}
					return began.Add(c.sends)
				}
				offline := func() time.Time {
					if time.Since(began) < c.offline {
						return time.Time{}
					}
					return began.Add(c.offline)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var lost time.Duration
				monitor(ctx, heard, offline, func() { lost = time.Since(began) })
				if (lost != 0) != c.lost {
					t.Fatalf("lost after %v, want lost: %t", lost, c.lost)
				}
				if due := max(c.sends+silentAfter, c.offline); c.lost && (lost < due || lost > due+silentLook) {
					t.Errorf("lost after %v, want %v", lost, due)
				}
			})
		})
	}
}

// TestSilenceIsKnownWithinTwoSeconds is the clock by which a person is told.
func TestSilenceIsKnownWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Session{video: receive.NewVideo(time.Now()), audio: receive.NewAudio(time.Now())}
		give := func(receive.Frame) {}
		silent := func() time.Duration { return silence(s.heard(), time.Now()) }
		time.Sleep(time.Minute)
		if d := silent(); d != 0 {
			t.Errorf("silent for %v before anything came", d)
		}
		for range 10 {
			s.video.Packet(&rtp.Packet{}, time.Now(), give)
			time.Sleep(time.Second) // a camera of one picture a second
			if d := silent(); d != 0 {
				t.Errorf("silent for %v at a picture a second", d)
			}
		}
		s.video.Packet(&rtp.Packet{}, time.Now(), give)
		s.audio.Packet(&rtp.Packet{}, time.Now(), give)
		time.Sleep(2*time.Second - silentLook)
		if d := silent(); d != 2*time.Second-silentLook {
			t.Errorf("silent for %v", d)
		}
		s.audio.Packet(&rtp.Packet{}, time.Now(), give)
		if d := silent(); d != 0 {
			t.Errorf("silent for %v with sound", d)
		}
	})
}

func TestWhatPasses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("x"), false}, {context.Canceled, false},
		{ErrClosed, false}, {ErrNewEpoch, false}, {fmt.Errorf("%w: %w", ErrNoAnswer, ErrOffline), true},
		{home.NewProblem(ErrLost, "The connection was lost."), true},
		{&Refused{Code: proto.CodeNoMedia}, true}, {&Refused{Code: proto.CodeTooManySessions}, true}, {&Refused{Code: proto.CodeBusy}, true},
		{&Refused{Code: proto.CodeRevoked}, false}, {&Refused{Code: proto.CodePrivacy}, false}, {&Refused{Code: proto.CodeScope}, false}, {&Refused{Code: proto.CodeNoLight}, false},
		{explainEnd(proto.EndShutdown), true}, {explainEnd(proto.EndICE), true}, {explainEnd(proto.EndMedia), true},
		{explainEnd(proto.EndRevoked), false}, {explainEnd(string(proto.CodePrivacy)), false}, {explainEnd(string(proto.CodeSchedule)), false}, {explainEnd(proto.EndBye), false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("Passing(%v) = %t", c.err, got)
		}
	}
}
