package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

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
			for range 2 { // once the viewer's goroutine has taken the first, it reads the buffers
				p.session.viewer.wake <- struct{}{}
			}
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
