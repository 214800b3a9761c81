package lab

import (
	"syscall"
	"testing"

	"github.com/camd-project/camd/test/sound"
)

// TestTalkFromAMicrophone: camctl, built with the encoder, sends what a sound card
// captures. Both ends are in one guest, on one loopback: the card's other end is the
// talker's surroundings, and the room that hears the talker.
func TestTalkFromAMicrophone(t *testing.T) {
	h := settle(t, ARM64, nil, small+"[audio]\nsource = \"tone\"\nspeaker = \"hw:0,1\"\n", vivid, aloop)
	const program = "/bin/camctl-encoder"
	must(t, h.Put(patient(t), program, 0o755, read(t, withC(t, ARM64, "./cmd/camctl", "build", "-tags", "netgo,osusergo,nomicrophone"))))
	must(t, h.Record(patient(t), room, roomPath))
	must(t, h.Play(patient(t), "/dev/snd/pcmC0D0p", sound.ToneHz)) // what the microphone hears
	h.pair()
	h.condition("speaker", "ok")
	must(t, h.Start(patient(t), "talk", program, "--home", homePath, "--json", "talk", "--device", "hw:0,1"))
	eventually(t, "the room hears the talker", func() bool { s := h.room(); return sound.FirstTone(s) < len(s) })
	must(t, h.Signal(patient(t), "talk", syscall.SIGINT))
	if exit, err := h.Ended(patient(t), "talk"); err != nil || exit != 0 {
		t.Errorf("camctl talk ended with %d, %v: %q", exit, err, h.Said("talk"))
	}
	h.stop()
}
