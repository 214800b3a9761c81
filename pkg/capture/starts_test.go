package capture

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/media/fmp4"
	"github.com/camd-project/camd/pkg/proto"
)

// TestADecoderMayBeginAtARecoveryPoint has ffmpeg begin at each recovery point of a
// camera that gave one IDR: at the next, all is as it was for who saw everything, in a
// recording too.
func TestADecoderMayBeginAtARecoveryPoint(t *testing.T) {
	units := unitsOf(t, "testdata/refresh.h264")
	b, _ := pass(t, whole(units...)...)
	all := decoded(t, b.got...)
	size := len(all) / len(b.got)
	var starts []int
	for i, u := range b.got {
		if u.Key {
			starts = append(starts, i)
		}
		if u.Key && u.Gradual == (i == 0) {
			t.Errorf("picture %d: gradual %v", i, u.Gradual)
		}
	}
	if !slices.Equal(starts, []int{0, 60, 120, 180}) {
		t.Fatalf("starts at %v, want one each 60 pictures", starts)
	}
	for _, i := range starts[1:3] {
		tail := all[(i+60)*size:]
		if got := raw(t, b.got[i:]...); !bytes.HasSuffix(got, tail) {
			t.Errorf("who began at picture %d sees something else from picture %d on", i, i+60)
		}
		if got, _ := ffmpeg(t, "mp4", recorded(t, b.got[i:])); !bytes.HasSuffix(got, tail) {
			t.Errorf("a recording from picture %d shows something else from picture %d on", i, i+60)
		}
	}
}

// recorded makes an MP4 as a client does.
func recorded(t *testing.T, units []published) []byte {
	t.Helper()
	var out bytes.Buffer
	sps, pps := avc.SetsIn(units[0].Data).Of(units[0].Data)
	w, err := fmp4.NewWriter(&out, fmp4.Tracks{Video: &fmp4.VideoTrack{SPS: sps, PPS: pps, Width: 64, Height: 48}})
	for _, u := range units {
		if err == nil {
			err = w.WriteVideo(u.Data, u.PTS, u.Key)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// clock feeds pictures at 10 Hz.
type clock struct {
	p   *passThrough
	b   *bench
	now time.Duration
}

func newClock(t *testing.T, onRequest bool) *clock {
	b, s := newBench(t, nil), newFake()
	s.is.forceIDR = onRequest
	return &clock{newPassThrough(b.Camera, s), b, time.Hour}
}

func (c *clock) take(t *testing.T, n int, data []byte) {
	t.Helper()
	for range n {
		c.now += 100 * time.Millisecond
		if _, err := c.p.take(picture{data: data, pts: c.now}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTroubleIsToldAfterTenSeconds(t *testing.T) {
	idr, next := clipUnits()[0].Data, clipUnits()[1].Data
	refresh := unitsOf(t, "testdata/refresh.h264")
	type step struct {
		n    int // pictures, the first of which comes after a request where n is negative
		data []byte
	}
	for name, c := range map[string]struct {
		onRequest bool
		steps     []step
		state     health.State
		says      string
	}{
		"a keyframe each 10 s":           {false, []step{{1, idr}, {99, next}, {1, idr}, {99, next}}, health.OK, ""},
		"one that is too old":            {false, []step{{1, idr}, {101, next}}, health.Degraded, "more than 10 seconds apart"},
		"the next does not mend it":      {false, []step{{1, idr}, {150, next}, {1, idr}, {50, next}}, health.Degraded, "more than 10 seconds apart"},
		"the one after does":             {false, []step{{1, idr}, {150, next}, {1, idr}, {50, next}, {1, idr}}, health.OK, ""},
		"none at all":                    {false, []step{{102, next}}, health.Failed, "holds no keyframe"},
		"none yet":                       {false, []step{{100, next}}, health.OK, ""},
		"none needed":                    {true, []step{{1, idr}, {500, next}}, health.OK, ""},
		"asked for and not given":        {true, []step{{1, idr}, {-102, next}}, health.Degraded, "more than 10 seconds apart"},
		"asked for and given":            {true, []step{{1, idr}, {-50, next}, {1, idr}, {500, next}}, health.OK, ""},
		"recovery points alone":          {false, []step{{1, refresh[0].Data}, {60, refresh[1].Data}, {1, refresh[60].Data}, {60, refresh[61].Data}}, health.Degraded, "bit by bit"},
		"recovery points beside IDRs":    {false, []step{{1, refresh[0].Data}, {60, refresh[1].Data}, {1, refresh[60].Data}, {30, refresh[61].Data}, {1, refresh[0].Data}}, health.OK, ""},
		"recovery points from the start": {false, []step{{1, slices.Concat(headers(refresh[0]), refresh[60].Data)}, {50, refresh[61].Data}, {1, refresh[60].Data}, {60, refresh[61].Data}}, health.Degraded, "bit by bit"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newClock(t, c.onRequest)
			for _, s := range c.steps {
				if s.n < 0 {
					k.b.RequestKeyframe()
				}
				k.take(t, max(s.n, -s.n), s.data)
			}
			if state, says := k.p.trouble(); state != c.state || !strings.Contains(says, c.says) || (says == "") != (c.says == "") {
				t.Errorf("%s, %q; want %s, %q", state, says, c.state, c.says)
			}
		})
	}
}

// headers returns a unit's parameter sets.
func headers(u avc.Unit) []byte {
	sps, pps := avc.SetsIn(u.Data).Of(u.Data)
	out := append(avc.StartCode[:], sps...)
	for _, p := range pps {
		out = append(append(out, avc.StartCode[:]...), p...)
	}
	return out
}

func TestARecoveryPointThatTakesTooLongIsNoStart(t *testing.T) {
	p := newClock(t, false).p
	if !p.recovers(100) || p.recovers(101) { // at 10 Hz
		t.Error("more, or less, than ten seconds")
	}
}

// TestACameraWithoutKeyframesSaysSo goes the whole way to the status: an IDR at first,
// then none.
func TestACameraWithoutKeyframesSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		units := clipUnits()
		src := &fakeSource{script: func(int) (*fakeStream, error) {
			s := newFake(whole(slices.Concat(units[:1], slices.Repeat(units[1:2], 1000))...)...)
			s.is.forceIDR = false
			return s, nil
		}}
		b := newBench(t, src)
		b.run(t)
		defer b.end()
		time.Sleep(9 * time.Second)
		if s := b.status(); s.State != health.OK {
			t.Errorf("after 9 s: %+v", s)
		}
		if _, _, err := b.Picture(t.Context()); err != nil {
			t.Errorf("a picture of less than ten seconds ago: %v", err)
		}
		time.Sleep(3 * time.Second)
		if s := b.status(); s.State != health.Degraded || !strings.Contains(s.Reason, "more than 10 seconds apart") {
			t.Errorf("after 12 s: %+v", s)
		}
		if _, _, err := b.Picture(t.Context()); refused(err) != proto.CodeNoMedia {
			t.Errorf("a picture of long ago was given as one of now: %v", err)
		}
	})
}
