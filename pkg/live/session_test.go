package live

import (
	"bytes"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/proto"
)

// unit reads packets up to a marker and gives the access unit in Annex B form.
func unit(t testing.TB, p *peer) []byte {
	t.Helper()
	var d codecs.H264Packet
	var out []byte
	for {
		x := get(t, p.video)
		b, err := d.Unmarshal(x.Payload)
		must(t, err)
		out = append(out, b...)
		if x.Marker {
			return out
		}
	}
}

func TestViewerSeesEveryPictureFromTheKeyFrame(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(true))
	p := watch(t, r, "one", peerOptions{})
	get(t, r.camera.asked) // connected
	for i := range 20 {
		size := 3000
		if i == 0 {
			size = 60000
		}
		sent := r.picture(i%10 == 0, size)
		if got := unit(t, p); !bytes.Equal(got, sent) {
			t.Fatalf("picture %d: got %d bytes, want the %d sent", i, len(got), len(sent))
		}
	}
	must(t, r.Bye("c", "one"))
	<-p.session.Done()
	if got := p.session.Reason(); got != proto.EndBye {
		t.Errorf("reason %q, want %q", got, proto.EndBye)
	}
	if s := p.session.Stats(); s.Frames != 20 || s.Skips != 0 {
		t.Errorf("stats %+v, want 20 frames and no skip", s)
	}
	if r.video.Wanted() || r.audio.Wanted() {
		t.Error("a feed is wanted without a session")
	}
}

func TestJoinMidGOPStartsAtTheLastKeyFrame(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	var past [][]byte
	for i := range 30 {
		past = append(past, r.picture(i == 5, 4000))
	}
	p := watch(t, r, "late", peerOptions{})
	for i, want := range past[5:] {
		got := unit(t, p)
		if !bytes.Equal(got, want) {
			t.Fatalf("picture %d differs", i)
		}
		if i == 0 && avc.TypeOf(got[4:]) != avc.SPSType {
			t.Error("first picture does not start with an SPS")
		}
	}
	want := r.picture(false, 4000)
	if got := unit(t, p); !bytes.Equal(got, want) {
		t.Error("live picture differs")
	}
}
