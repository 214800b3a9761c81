package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

func keyed(key bool) start {
	if key {
		return idr
	}
	return no
}

// TestJoinersBeginAtAKeyFrameRatherThanARecoveryPoint: browsers can't begin at the latter.
func TestJoinersBeginAtAKeyFrameRatherThanARecoveryPoint(t *testing.T) {
	const s = time.Second
	type frame struct {
		at     time.Duration
		begins start
	}
	for name, c := range map[string]struct {
		frames []frame
		want   int // the frame that joiners get first; -1: none
	}{
		"none":                       {[]frame{{0, no}, {s, no}}, -1},
		"a recovery point alone":     {[]frame{{0, no}, {s, recovery}, {2 * s, no}}, 1},
		"the newest of two":          {[]frame{{0, recovery}, {s, no}, {2 * s, recovery}}, 2},
		"a key frame before it":      {[]frame{{0, idr}, {s, recovery}, {2 * s, no}}, 0},
		"after ten seconds":          {[]frame{{0, idr}, {10 * s, recovery}}, 0},
		"a key frame that is older":  {[]frame{{0, idr}, {4 * s, recovery}, {11 * s, recovery}, {12 * s, no}}, 2},
		"a key frame after it":       {[]frame{{0, idr}, {11 * s, recovery}, {12 * s, idr}}, 2},
		"a newer key frame in order": {[]frame{{0, idr}, {s, idr}}, 1},
	} {
		r := newRing(90000, true)
		for i, f := range c.frames {
			r.append(f.at, f.begins, func() { r.add().payload = []byte{byte(i)} })
		}
		if e := r.stand(); e.hasKey != (c.want >= 0) || e.hasKey && e.key != uint64(c.want) {
			t.Errorf("%s: begins at %d, %v, want %d", name, e.key, e.hasKey, c.want)
		}
	}
}

// TestAViewerThatCantBeginIsToldSo runs a viewer's seconds without waiting for them.
func TestAViewerThatCantBeginIsToldSo(t *testing.T) {
	pli := &rtcp.PictureLossIndication{MediaSSRC: 1}
	for name, c := range map[string]struct {
		begins func(second int) start // of the frame in each second
		asks   func(second int) bool
		ends   int // the second in which it does; 0: never
	}{
		"no start comes":                      {func(int) start { return no }, nil, 10},
		"one comes late":                      {func(n int) start { return keyed(n == 9) }, nil, 0},
		"a recovery point does":               {func(n int) start { return map[bool]start{true: recovery}[n == 5] }, nil, 0},
		"it can't begin at recovery points":   {func(int) start { return recovery }, func(int) bool { return true }, 10},
		"nor if it asks now and then":         {func(int) start { return recovery }, func(n int) bool { return n%3 == 1 }, 10},
		"it asks, and key frames come":        {func(n int) start { return keyed(n%5 == 1) }, func(int) bool { return true }, 0},
		"it asked a few times":                {func(n int) start { return map[bool]start{true: recovery}[n == 1] }, func(n int) bool { return n < 8 }, 0},
		"it asks long after the last of them": {func(n int) start { return keyed(n == 1) }, func(n int) bool { return n > 20 }, 30},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(90000, true)
			v := testViewer(&wire{}, r)
			var err error
			n := 0
			for n < 60 && err == nil {
				n++
				r.append(media.Now(), c.begins(n), func() { r.add().payload = []byte{1} })
				v.drain(t.Context())
				v.heard.Store(true)
				if c.asks != nil && c.asks(n) {
					v.heed(pli, v.lanes[0])
				}
				err = v.second()
			}
			if c.ends == 0 && err != nil || c.ends != 0 && n != c.ends {
				t.Errorf("ended in second %d: %v, want %d", n, err, c.ends)
			}
			if c.ends != 0 && !errors.Is(err, endReason(proto.EndPicture)) {
				t.Errorf("ended by %v", err)
			}
		})
	}
}

// TestTheEndSaysWhy has the session of such a viewer end as it would by itself. The
// reason is none of those before anything was sent: sound was, and pictures may have been.
func TestTheEndSaysWhy(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	x, _, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: crlf(chromium), View: true, Signal: func(proto.SignalKind, any) {}})
	must(t, err) // and never connects, so its viewer is the test's
	ticks := make(chan time.Time, 20)
	for range cap(ticks) {
		ticks <- time.Time{}
	}
	x.end(x.viewer.loop(context.Background(), ticks))
	<-x.Done()
	if got := x.Reason(); got != proto.EndPicture {
		t.Errorf("reason %q, want %q", got, proto.EndPicture)
	}
}
