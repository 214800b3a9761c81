package live

import (
	"bytes"
	"strings"
	"testing"
)

// TestAnswerNamesTheFormatThatWasChosen shows that the whole way from the camera's odd
// flags to the viewer's packets goes by the chosen format, and none that was offered
// beside it: packetization-mode 0, which takes no fragments, comes first here.
func TestAnswerNamesTheFormatThatWasChosen(t *testing.T) {
	for _, c := range []struct{ camera, offered string }{
		{"424c0a", ";profile-level-id=42e01f"},
		{"420c1f", ";profile-level-id=42e01f"},
		{"4d4c28", ";profile-level-id=4d001f"},
		{"4d0828", ";profile-level-id=640c1f"},
		{"640828", ";profile-level-id=64001f"},
		{"644028", ";profile-level-id=4d001f"},
		{"42c01f", ""},
		{"4d4c28", ""},
		{"640028", ""},
	} {
		t.Run(c.camera+c.offered, func(t *testing.T) {
			camera := newCamera(false)
			camera.format.ProfileLevelID = c.camera
			r := newRig(t, DefaultConfig(), camera)
			p := watch(t, r, "one", peerOptions{edit: func(sdp string) string {
				sdp = strings.ReplaceAll(sdp, ";profile-level-id=42e01f", c.offered)
				sdp = strings.Replace(sdp, "SAVPF 108", "SAVPF 99 108", 1)
				return strings.Replace(sdp, "a=rtpmap:108", "a=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=0"+c.offered+"\r\na=rtpmap:108", 1)
			}})
			want := "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1" + c.offered + "\r\n"
			if !strings.Contains(p.answer, want) || !strings.Contains(p.answer, "SAVPF 108\r\n") {
				t.Errorf("the answer does not say %q:\n%s", want, p.answer)
			}
			sent := r.picture(true, 3000)
			if got := unit(t, p); !bytes.Equal(got, sent) {
				t.Errorf("got %d bytes, want the %d sent", len(got), len(sent))
			}
		})
	}
}
