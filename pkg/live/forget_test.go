package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
)

func TestAForgottenRingHoldsNothing(t *testing.T) {
	r := newRing(90000, true)
	now := media.Now()
	frame(r, now-time.Second, true, 10)
	behind, joined := newWalker(r), newWalker(r)
	joined.join(false)
	walk(t, joined, map[uint64]uint64{})
	last := uint16(joined.seq - 1)
	behind.join(false)
	var p packet
	behind.pull(&p)
	behind.advance()

	r.forget()
	for i := range r.next {
		if f, _ := r.read(i, &p); f != gone {
			t.Errorf("packet %d is %v, want gone", i, f)
		}
	}
	for _, s := range r.slots {
		if s.payload != nil {
			t.Error("a payload is still in memory")
		}
	}
	if _, ok := joined.again(last, &p); ok {
		t.Error("a packet from before is sent again")
	}
	late := newWalker(r)
	late.join(false)
	for name, w := range map[string]*walker{"late": late, "behind": behind, "up to date": joined} {
		w.settle()
		if ok, _ := w.pull(&p); ok {
			t.Errorf("the %s viewer gets packet %d from before", name, p.index)
		}
	}
	first := r.next
	frame(r, now, true, 3)
	for name, w := range map[string]*walker{"late": late, "behind": behind, "up to date": joined} {
		if ok, _ := w.pull(&p); !ok || p.index != first {
			t.Errorf("the %s viewer goes on at packet %d (%v), want %d", name, p.index, ok, first)
		}
	}
}

func TestWhoJoinsAfterForgetGetsNothingFromBefore(t *testing.T) {
	for _, forget := range []bool{false, true} {
		t.Run(fmt.Sprintf("forgotten: %v", forget), func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			before := r.picture(true, 4000)
			r.sound()
			if forget {
				r.Forget()
			}
			p := watch(t, r, "one", peerOptions{})
			eventually(t, "the viewer's goroutine reads the rings", func() bool { return len(*r.Server.video.watchers.Load()) == 1 })
			want := before // the control: a viewer does begin with what is kept
			if forget {
				want = r.picture(true, 4000)
			}
			if got := unit(t, p); !bytes.Equal(got, want) {
				t.Error("the first picture is not the one expected")
			}
			if forget && len(p.audio) != 0 {
				t.Error("sound from before came")
			}
		})
	}
}

func TestTheEndNamesWhyTheRightEnded(t *testing.T) {
	for _, code := range []proto.Code{proto.CodeRevoked, proto.CodePrivacy, proto.CodeExpired} {
		t.Run(string(code), func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			r.picture(true, 3000)
			right, end := context.WithCancelCause(t.Context())
			p := newPeer(t, peerOptions{})
			s, _, err := r.Start(right, Offer{Client: "c", Session: "one", SDP: p.offer(peerOptions{}), View: true, Signal: p.signal})
			must(t, err)
			end(errors.Join(proto.Refuse(code)))
			<-s.Done()
			if s.Reason() != string(code) {
				t.Errorf("reason %q, want %q", s.Reason(), code)
			}
			for {
				if e, ok := get(t, p.signals).(proto.End); ok {
					if e.Reason != string(code) {
						t.Errorf("signalled %q, want %q", e.Reason, code)
					}
					return
				}
			}
		})
	}
}
