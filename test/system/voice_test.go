package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
	"github.com/camd-project/camd/test/sound"
)

// room is a camera whose speaker writes what it plays to a file, at the pace of a card.
type room struct {
	*rig.Rig
	t      *testing.T
	played string
	anna   *client.Camera // its owner
	rang   time.Time      // presses within 3 seconds of a ring are that ring
}

func newRoom(t *testing.T) *room {
	t.Helper()
	path := filepath.Join(t.TempDir(), "played.raw")
	r := &room{t: t, played: path, Rig: rig.New(t, synthetic+
		fmt.Sprintf("speaker = \"file\"\nspeaker_file = %q\n[household]\nclock = \"battery\"\n", path))}
	r.Start()
	r.Online()
	r.anna = r.Owner()
	return r
}

// samples are all that was played so far.
func (r *room) samples() []int16 {
	r.t.Helper()
	return sound.Played(r.t, r.played)
}

// hears waits until the tone is heard after from, and gives where.
func (r *room) hears(what string, from int) (at int) {
	r.t.Helper()
	r.Until(what, func() bool {
		s := r.samples()[from:]
		at = from + sound.FirstTone(s)
		return at < from+len(s)
	})
	return at
}

// ring rings the bell, and waits until the room has heard it whole, after from. It gives
// where that was.
func (r *room) ring(from int) (begin, end int) {
	r.t.Helper()
	bell := sound.Bell(r.t)
	time.Sleep(time.Until(r.rang.Add(3 * time.Second)))
	r.rang = time.Now()
	if out, err := r.Run("ring"); err != nil {
		r.t.Fatalf("camd ring: %v\n%s", err, out)
	}
	alike := 0.0
	r.Until("the bell is heard", func() bool {
		alike, end = sound.Holds(r.samples()[from:], bell)
		return alike > 0.95
	})
	return from + end - len(bell), from + end
}

// silentFrom fails if the tone was played after from. The bell, which is rung, comes
// after whatever might have been played still.
func (r *room) silentFrom(from int, after string) {
	r.t.Helper()
	r.ring(from)
	if last := sound.LastTone(r.samples()[from:]); last > 0 {
		r.t.Errorf("after %s the room heard the voice for %v", after, time.Duration(last)*time.Second/sound.Rate)
	}
}

// talker is a member in a live session whose sound goes both ways.
type talker struct {
	*hostile.Viewer
	room   *room
	camera *client.Camera
	sent   int // packets: numbers go on over all talks of a session
}

const session = "the-session"

func (r *room) talker(c *client.Camera) *talker {
	r.t.Helper()
	k := &talker{Viewer: hostile.NewSpeaker(r.t), room: r, camera: c}
	a, err := c.Call(patient(r.t), proto.OpLive, session, k.LiveRequest())
	if err != nil {
		r.t.Fatal(err)
	}
	var live proto.LiveAnswer
	if err := json.Unmarshal(a.Body, &live); err != nil {
		r.t.Fatal(err)
	}
	k.Answer(live.SDP)
	k.State(webrtc.PeerConnectionStateConnected)
	return k
}

// talk asks to be heard. Whoever spoke before has said bye, and may be heard a moment
// longer than its answer; and on a machine that does other work the speaker's card may run
// empty twice within one notice.
func (k *talker) talk() (t *client.Talk) {
	k.room.t.Helper()
	k.room.Until("the camera lets someone speak", func() bool {
		var err error
		t, err = k.camera.AskToTalk(patient(k.room.t), session)
		refused := new(client.Refused)
		if err != nil && !(errors.As(err, &refused) && (refused.Code == proto.CodeTalking || refused.Code == proto.CodeNoSpeaker)) {
			k.room.t.Fatal(err)
		}
		return err == nil
	})
	k.room.t.Cleanup(t.Close)
	return t
}

// hums sends the tone until the end of the test, whether or not anyone hears it. Nothing
// else is sent after that.
func (k *talker) hums() {
	k.room.t.Helper()
	tone := make([]int16, sound.Rate) // of a frequency that fits
	sound.Tone(tone, 0)
	packets, err := sound.Encode(tone)
	if err != nil {
		k.room.t.Fatal(err)
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		began := time.Now()
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-time.After(time.Until(began.Add(time.Duration(n) * sound.Pace))):
			}
			if err := k.Send(sound.Packet(k.sent+n, packets[n%len(packets)])); err != nil {
				return // the session is over
			}
		}
	})
	k.room.t.Cleanup(func() { close(over); wg.Wait() })
}

// says sends packets through a network, and gives what the room heard from their
// beginning to a second after their end.
func (k *talker) says(n sound.Network, seed uint64, packets [][]byte) (heard []int16, late time.Duration) {
	k.room.t.Helper()
	from := len(k.room.samples())
	late, err := n.Send(seed, time.Now(), k.sent, packets, k.Send)
	k.sent += len(packets)
	if err != nil {
		k.room.t.Fatal(err)
	}
	whole := from + len(packets)*opus.FrameSamples + sound.Rate
	k.room.Until("the room has heard it all", func() bool { return len(k.room.samples()) >= whole })
	return k.room.samples()[from:whole], late
}

// ends waits for the end of a talk and its reason.
func (r *room) ends(t *client.Talk, reason string) {
	r.t.Helper()
	select {
	case <-t.Done():
	case <-time.After(rig.Patience):
		r.t.Fatal("the talk goes on")
	}
	if t.Reason() != reason {
		r.t.Errorf("the talk ended with %q (%v), want %q", t.Reason(), t.Err(), reason)
	}
}

// malformed are packets that RFC 6716 section 3.4 does not allow: R1 empty, R2 and R3
// lengths that don't fit, R5 too long, R6 and R7 counts and padding that don't.
var malformed = [][]byte{
	{}, {0xf9, 1, 2}, {0xfa, 200, 1, 2, 3}, {0xfa, 253}, {0xfb}, {0xfb, 0}, {0x1b, 0x3f, 1, 2, 3},
	{0xfb, 0x43, 255}, {0xfb, 0x43, 250, 1}, {0xfb, 0x83, 200, 1, 2}, {0xfb, 0x03, 1, 2},
}

// stray is a packet of the voice that is not what was negotiated.
func stray(n int, payload []byte, ssrc uint32, kind uint8) *rtp.Packet {
	p := sound.Packet(n, payload)
	p.SSRC, p.PayloadType = ssrc, kind
	return p
}
