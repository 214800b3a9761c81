package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

// TestAViewerThatCantBeginIsToldSo runs a viewer's seconds without waiting for them.
func TestAViewerThatCantBeginIsToldSo(t *testing.T) {
	at := func(yes bool, start string) string { return map[bool]string{true: start}[yes] }
	pli := &rtcp.PictureLossIndication{MediaSSRC: 1}
	for name, c := range map[string]struct {
		begins func(second int) string // whether a decoder can, at the frame of each second
		asks   func(second int) bool
		ends   int // the second in which it does; 0: never
	}{
		"no start comes":                      {func(int) string { return "" }, nil, 10},
		"one comes late":                      {func(n int) string { return at(n == 9, "idr") }, nil, 0},
		"a recovery point does":               {func(n int) string { return at(n == 5, "recovery") }, nil, 0},
		"it can't begin at recovery points":   {func(int) string { return "recovery" }, func(int) bool { return true }, 10},
		"nor if it asks now and then":         {func(int) string { return "recovery" }, func(n int) bool { return n%3 == 1 }, 10},
		"it asks, and key frames come":        {func(n int) string { return at(n%5 == 1, "idr") }, func(int) bool { return true }, 0},
		"it asked a few times":                {func(n int) string { return at(n == 1, "recovery") }, func(n int) bool { return n < 8 }, 0},
		"it asks long after the last of them": {func(n int) string { return at(n == 1, "idr") }, func(n int) bool { return n > 20 }, 30},
	} {
		t.Run(name, func(t *testing.T) {
			r := packets.New(90000, true)
			v := testViewer(&wire{}, r)
			var err error
			n := 0
			for n < 60 && err == nil {
				n++
				start := c.begins(n)
				r.AppendUnit(&media.AccessUnit{Data: []byte{0, 0, 1, 1}, PTS: media.Now(), Key: start != "", Gradual: start == "recovery"})
				v.turn(t.Context(), media.Now())
				v.reported.Store(true)
				if c.asks != nil && c.asks(n) {
					v.handle(1, pli)
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
