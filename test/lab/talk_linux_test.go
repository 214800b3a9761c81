package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/lab/agent"
	"github.com/camd-project/camd/test/sound"
)

const (
	bellKey = 0x102 // BTN_2
	bell    = panel + "bell_button = \"" + buttons + "/258\"\n"

	duplex   = microphone + "speaker = \"hw:0,1\"\n"
	room     = "/dev/snd/pcmC0D0c" // hears what is played there
	roomPath = "/tmp/room.raw"
)

// TestTalkAndRing: the bell, and T8 on a real sound card, which is a loopback: its other
// end is the room. A press of the bell button tells every member, is kept with its
// picture, and sounds in the room. The room hears the whole chime and notice before the
// first sample of a voice, also after its card was unplugged, and a press of the same
// button ends the voice and keeps it out.
func TestTalkAndRing(t *testing.T) {
	h := settle(t, ARM64, nil, small+duplex+bell, vivid, aloop, "uinput", "evdev")
	must(t, h.Keyboard(patient(t), agent.Keyboard{Name: buttons, Keys: []uint16{pairKey, eyeKey, bellKey}}))
	must(t, h.Record(patient(t), room, roomPath))
	h.pair()
	ben := h.invite("Ben", "--role", string(proto.RoleAdult))
	for _, part := range []string{"panel", "camera", "audio", "speaker"} {
		h.condition(part, "ok")
	}
	pictures := t.TempDir()
	members := []*running[told]{follow[told](h, "events", "--follow", "--save", pictures), follow[told](ben, "events", "--follow")}
	for _, m := range members {
		m.until("the log is shown", func(told) bool { return true })
	}

	before := len(h.room())
	h.press(bellKey, 0)
	members[1].until("the ring is told", isTold(accesslog.KindRing))
	rung, file := false, ""
	members[0].until("the ring is told and its picture is saved", func(l told) bool { // the list of what is kept may come first
		rung, file = rung || isTold(accesslog.KindRing)(l), cmp.Or(file, l.File)
		return rung && file != ""
	})
	checkJPEG(t, file)
	eventually(t, "the bell sounds", func() bool {
		alike, _ := sound.Holds(h.room()[before:], sound.Bell(t))
		return alike > 0.95
	})

	voice := h.voiceFile()
	h.loseSpeaker(voice)

	before = len(h.room())
	talk := follow[talking](h, "talk", "--file", voice)
	talk.until("it is live", func(l talking) bool { return l.State == "live" })
	eventually(t, "the room hears the voice", func() bool { s := h.room()[before:]; return sound.FirstTone(s) < len(s) })
	for _, m := range members {
		m.until("the talk is told", isTold(accesslog.KindTalk))
	}
	h.press(bellKey, 0)
	talk.endedSaying(client.TalkEndSentence(proto.EndPressed))
	eventually(t, "the room has heard the voice to its end", func() bool { s := h.room(); return len(s)-sound.LastTone(s) > sound.Rate })
	h.refused(proto.CodeBlocked, "talk", "--file", voice)

	all := h.room()[before:]
	first := sound.FirstTone(all)
	alike, end := sound.Holds(all[:first], sound.Announcement(t, prompt.Person{Name: "Anna", Role: proto.RoleOwner}))
	t.Logf("the notice ends at %d ms of the recording, the voice begins at %d ms; likeness %.3f", end/48, first/48, alike)
	if alike < 0.95 {
		t.Errorf("before the voice, the room heard the notice with a likeness of %.2f", alike)
	}
	if n := bytes.Count(h.call("events"), []byte(`"event":{`)); n != 1 {
		t.Errorf("%d events are kept, want the ring alone: the press that ended the talk is none", n)
	}
	h.stop()
}

// loseSpeaker unplugs the sound card in the middle of a notice, or at the beginning of
// the talk on a machine too slow for that, and plugs it in again.
func (h *household) loseSpeaker(voice string) {
	h.t.Helper()
	before := len(h.room())
	talk := follow[talking](h, "talk", "--file", voice)
	eventually(h.t, "the notice has begun", func() bool {
		return slices.ContainsFunc(h.room()[before:], func(s int16) bool { return s != 0 })
	})
	must(h.t, h.Put(patient(h.t), aloopDriver+"unbind", 0, []byte("snd_aloop.0")))
	said, all := talk.over(), h.room()[before:]
	switch {
	case strings.Contains(said, proto.CodeNoSpeaker.Sentence()):
		if sound.FirstTone(all) < len(all) {
			h.t.Error("the room heard the voice of a talk that was refused")
		}
	case !strings.Contains(said, client.TalkEndSentence(proto.EndSpeaker)):
		h.t.Errorf("a talk without a speaker ended with %q", said)
	}
	h.t.Logf("unplugged: %s %s", h.condition("speaker", "failed"), said)
	must(h.t, h.Put(patient(h.t), aloopDriver+"bind", 0, []byte("snd_aloop.0")))
	h.condition("speaker", "ok")
	must(h.t, h.Record(patient(h.t), room, roomPath)) // anew
}

const aloopDriver = "/sys/bus/platform/drivers/snd_aloop/"

// told is a line of camctl events: an entry of the log, or a picture that was saved.
type told struct {
	Entry struct {
		Kind accesslog.Kind `json:"k"`
	}
	File string
}

func isTold(kind accesslog.Kind) func(told) bool {
	return func(l told) bool { return l.Entry.Kind == kind }
}

// talking is a line of camctl talk.
type talking struct{ State string }

// room is all that the room has heard until now.
func (h *household) room() []int16 {
	h.t.Helper()
	raw, err := h.Get(patient(h.t), roomPath)
	must(h.t, err)
	return sound.Samples(raw)
}

// voiceFile makes what a member says: a tone that lasts longer than the test listens.
func (h *household) voiceFile() string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "voice.ogg")
	tone := fmt.Sprintf("sine=frequency=%d:duration=600", sound.ToneHz)
	_, err := output(h.t.Context(), ".", "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", tone, "-c:a", "libopus", path)
	must(h.t, err)
	return path
}

// checkJPEG checks a picture's form and size.
func checkJPEG(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	p, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || p.Width != 320 || p.Height != 180 {
		t.Errorf("%s: %d x %d, %v", filepath.Base(path), p.Width, p.Height, err)
	}
}
