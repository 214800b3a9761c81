package lab

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/test/lab/agent"
	"github.com/camd-project/camd/test/sound"
)

// slow leaves the processor to the sound.
const slow = "[capture]\nwidth = 320\nheight = 180\nrate = 5\n"

// steady is a machine whose clock counts the instructions that it runs, 2 ns each, and
// doesn't run ahead of the host's. After household.steady it isn't late for its sound
// cards, however busy the host is.
func steady(a Arch) Arch {
	a.QEMU = append(slices.Clone(a.QEMU), "-accel", "tcg,thread=single", "-icount", "shift=1,align=on")
	return a
}

// steady keeps a steady machine from being idle, when its clock would follow the host's,
// and leaves it one processor: two take turns, and each makes the other wait.
func (h *household) steady() {
	h.t.Helper()
	must(h.t, h.Put(patient(h.t), "/sys/devices/system/cpu/cpu1/online", 0, []byte("0")))
	must(h.t, h.Start(patient(h.t), "busy", "/init", agent.Busy))
}

// What is asked for.
const (
	leastERLE     = 12  // dB of echo return loss enhancement
	leastLikeness = 0.7 // of what somebody in the room says to what a listener hears
)

// TestEcho: on a real sound card, which is a loopback, with a simulated room at its
// other end, the echo of a voice is taken out of what a listener hears, and what
// somebody in the room says at the same time is not. Echo return loss enhancement is
// measured over the last five seconds of a recording while somebody speaks, with
// echo = "off" and with echo = "auto".
func TestEcho(t *testing.T) {
	const tables = slow + duplex + "echo = %q\n"
	h := settle(t, steady(ARM64), nil, fmt.Sprintf(tables, "off"), vivid, aloop)
	at, gain := audiotest.NewRoom(1).Reflections()
	must(t, h.Room(patient(t), agent.Room{Hears: room, Plays: speaker, At: at, Gain: gain}))
	h.steady()
	h.pair()
	voice := h.speechFile()

	speaking := h.speak(voice)
	off := audiotest.Level(last(h.heard(agent.Speech{Lasting: 5200 * time.Millisecond}), 5))
	speaking.goesOn()
	h.stop()
	must(t, h.Put(patient(t), configPath, 0o644, []byte(configuration(fmt.Sprintf(tables, "auto")))))
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	h.condition("broker", "ok")

	speaking = h.speak(voice)
	auto := audiotest.Level(last(h.heard(agent.Speech{Lasting: 10 * time.Second}), 5))
	said := audiotest.Voice(22, 3*sound.Rate)
	for i := range said {
		said[i] /= 4 // softer than the echo
	}
	kept := h.heard(agent.Speech{Samples: said, Lasting: 4 * time.Second})
	speaking.goesOn()
	h.stop()
	h.tellEcho()

	erle := 20 * math.Log10(off/max(1, auto))
	t.Logf("the echo has a level of %.0f, and of %.0f with echo = \"auto\": echo return loss enhancement %.1f dB", off, auto, erle)
	if off < 300 {
		t.Errorf("without cancelling the echo's level is %.0f: this shows nothing", off)
	}
	if erle < leastERLE {
		t.Errorf("echo return loss enhancement %.1f dB, want %d", erle, leastERLE)
	}
	checkKept(t, said[sound.Rate:], kept)
}

// checkKept checks that what is said in the room is heard, as loud as it is.
func checkKept(t *testing.T, said, kept []int16) {
	t.Helper()
	likeness, end := sound.Holds(kept, said)
	level, heard := audiotest.Level(said), audiotest.Level(kept[max(0, end-len(said)):end])
	t.Logf("what is said in the room meanwhile has a level of %.0f, and is heard with %.0f; likeness %.2f", level, heard, likeness)
	if likeness < leastLikeness || heard < level/2 {
		t.Errorf("what is said in the room with a level of %.0f is heard with %.0f and a likeness of %.2f, want %.1f", level, heard, likeness, leastLikeness)
	}
}

// speaking is somebody far away who speaks.
type speaking struct{ *running[talking] }

// speak begins to speak, announced.
func (h *household) speak(voice string) speaking {
	h.t.Helper()
	h.condition("speaker", "ok")
	talk := follow[talking](h, "talk", "--file", voice)
	talk.until("it is live", func(l talking) bool { return l.State == "live" })
	return speaking{talk}
}

// goesOn checks that the talk isn't over yet, and ends it.
func (s speaking) goesOn() {
	s.t.Helper()
	select {
	case l, open := <-s.lines:
		s.t.Errorf("the talk was over before the recording: %+v, %v", l, open)
	default:
	}
	s.close()
}

// tellEcho logs what camd, which has ended, said of the echo and of what its cards lost.
func (h *household) tellEcho() {
	for _, line := range h.Said("camd") {
		if strings.Contains(line, "msg=\"echo ") || strings.Contains(line, "samples lost") {
			h.t.Log(line)
		}
	}
}

// heard is what a listener records while somebody in the room says something, or
// nothing, for a time that the guest's clock measures.
func (h *household) heard(s agent.Speech) []int16 {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "out.mp4")
	recording := follow[struct{}](h, "record", "--seconds", "1000", path)
	eventually(h.t, "it records", func() bool {
		parts, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".out.mp4-*.part"))
		must(h.t, err)
		if len(parts) == 0 {
			return false
		}
		i, err := os.Stat(parts[0])
		return err == nil && i.Size() > 0
	})
	must(h.t, h.Say(patient(h.t), s))
	recording.close() // what was recorded is kept
	all := sound.Samples(ffmpeg(h.t, path, "-map", "0:a:0", "-f", "s16le", "-ac", "1", "-ar", "48000"))
	if lasts := time.Duration(len(all)) * time.Second / sound.Rate; lasts < s.Lasting*9/10 {
		h.t.Fatalf("%v were recorded, want %v", lasts, s.Lasting)
	}
	return all
}

// last are the last seconds of a sound.
func last(samples []int16, seconds int) []int16 {
	return samples[max(0, len(samples)-seconds*sound.Rate):]
}

// speechFile makes what a member says: something like speech, over and over, for longer
// than anything is recorded.
func (h *household) speechFile() string {
	h.t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, audiotest.Voice(1, 20*sound.Rate))
	must(h.t, err)
	folder := h.t.TempDir()
	raw, once, path := filepath.Join(folder, "raw"), filepath.Join(folder, "once.ogg"), filepath.Join(folder, "voice.ogg")
	must(h.t, os.WriteFile(raw, b, 0o600))
	_, err = output(h.t.Context(), folder, "ffmpeg", "-nostdin", "-v", "error", "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", raw, "-c:a", "libopus", once)
	must(h.t, err)
	_, err = output(h.t.Context(), folder, "ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "30", "-i", once, "-c", "copy", path)
	must(h.t, err)
	return path
}
