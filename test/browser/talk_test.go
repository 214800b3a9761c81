package browser

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/rig"
)

const voiceHz, soundRate = 2500, 48000

// voice writes what the browser's microphone hears: bursts of a tone that no chime and no prompt
// has, since browsers take a steady one for noise.
func voice(t *testing.T) string {
	t.Helper()
	const seconds = 4
	samples := make([]byte, 2*seconds*soundRate)
	for i := range seconds * soundRate {
		if i/(soundRate/5)%2 == 0 {
			s := int16(16000 * math.Sin(2*math.Pi*voiceHz*float64(i)/soundRate))
			binary.LittleEndian.PutUint16(samples[2*i:], uint16(s)) //nolint:gosec // the same bits
		}
	}
	head := []byte("RIFF....WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00....\x00\x00\x00\x00\x02\x00\x10\x00data....")
	binary.LittleEndian.PutUint32(head[4:], uint32(36+len(samples))) //nolint:gosec // it is small
	binary.LittleEndian.PutUint32(head[24:], soundRate)              //nolint:gosec // it is small
	binary.LittleEndian.PutUint32(head[28:], 2*soundRate)            //nolint:gosec // it is small
	binary.LittleEndian.PutUint32(head[40:], uint32(len(samples)))   //nolint:gosec // it is small
	path := filepath.Join(t.TempDir(), "voice.wav")
	if err := os.WriteFile(path, append(head, samples...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const block = 960 // samples, 20 ms

// voiceIn returns at which byte of 16-bit samples the voice begins, or -1: from there on most of
// the energy of several blocks is the voice's (Goertzel).
func voiceIn(samples []byte) int {
	const several = 5
	w := 2 * math.Cos(2*math.Pi*voiceHz/soundRate)
	in := 0
	for at := 0; at+2*block <= len(samples); at += 2 * block {
		var a, b, energy float64
		for i := range block {
			s := float64(int16(binary.LittleEndian.Uint16(samples[at+2*i:]))) //nolint:gosec // the same bits
			a, b = s+w*a-b, a
			energy += s * s
		}
		if energy > block*100*100 && (a*a+b*b-w*a*b)*2/block > energy/2 {
			in++
		} else {
			in = 0
		}
		if in == several {
			return at - (several-1)*2*block
		}
	}
	return -1
}

// loudest is the largest sample.
func loudest(samples []byte) (m int) {
	for ; len(samples) >= 2; samples = samples[2:] {
		m = max(m, int(int16(binary.LittleEndian.Uint16(samples)))) //nolint:gosec // the same bits
	}
	return m
}

// TestAVoiceIsHeardOnlyAfterTheChime holds the talk button as a person does.
func TestAVoiceIsHeardOnlyAfterTheChime(t *testing.T) {
	b, d := open(t, chromedp.Flag("use-file-for-fake-audio-capture", voice(t))), startDemo(t)
	o := d.pair(b)
	played := filepath.Join(d.Folder, "loudspeaker.raw")
	b.Await(`document.querySelector('#talk') && !document.querySelector('#talk').disabled`)
	before := len(heard(t, played)) // that somebody paired is said, too
	at := chromium.Eval[[2]float64](b, `(() => { const r = document.querySelector('#talk').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	mouse(b, input.DispatchMouseEventTypeMousePressed, at)
	b.Await(stage + `.dataset.state === 'talking'`)
	b.Shot("demo-talking")
	var sound []byte
	voice := -1
	for end := time.Now().Add(rig.Patience); voice < 0; time.Sleep(50 * time.Millisecond) {
		if sound = heard(t, played)[before:]; time.Now().After(end) {
			t.Fatalf("the voice does not come out, within %d bytes", len(sound))
		}
		voice = voiceIn(sound)
	}
	// A chime and a name take longer than a second.
	if chime := sound[:voice]; len(chime) < 2*soundRate || loudest(chime) < 1000 {
		t.Errorf("before the voice there are %d bytes, up to %d loud", len(chime), loudest(chime))
	}
	b.Await(shows("Anna began to talk"))
	mouse(b, input.DispatchMouseEventTypeMouseReleased, at)
	b.Await(live)
	o.screen("history")
	b.Await(`[...document.querySelectorAll('.entries li')].some((l) => /^Anna talked for\b/.test(l.innerText.trim()))`)
	b.Quiet()
}

// TestTheRoom plays the part of somebody at the camera.
func TestTheRoom(t *testing.T) {
	b, room, d := open(t), open(t), startDemo(t)
	o := d.pair(b)
	room.Do(chromedp.Navigate(d.Room))
	room.Click(`document.getElementById('hear')`)
	room.Await(shows("You hear what the room hears"))
	room.Click(`document.getElementById('end')`)
	room.Await(shows("Nobody is speaking through the camera."))
	room.Click(`document.getElementById('ring')`)
	room.Await(shows("Every member is told"))
	b.Await(shows("rang"))

	b.Do(chromedp.KeyEvent("\t")) // the page has the focus
	o.Press("Hold to talk")       // a short press: it stays on
	room.Await(`Number(document.getElementById('hear').dataset.played) > 48000`)
	b.Await(stage + `.dataset.state === 'talking'`)
	room.Click(`document.getElementById('end')`)
	room.Await(shows("It is silent"))
	b.Await(stage + `.dataset.state === 'live' && ` + shows("Someone at the camera ended the talk."))
	b.Click(`document.querySelector('.note button')`)
	b.Await(`!` + shows("Someone at the camera ended the talk."))
	o.Press("Hold to talk")
	b.Await(shows(proto.CodeBlocked.Sentence()))
}

func mouse(b *chromium.Tab, kind input.DispatchMouseEventType, at [2]float64) {
	b.T.Helper()
	b.Do(chromedp.MouseEvent(kind, at[0], at[1], chromedp.ButtonLeft))
}

// heard is what the loudspeaker has played.
func heard(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return data[:len(data)&^1]
}
