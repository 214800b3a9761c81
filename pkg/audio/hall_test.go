//go:build cgo

package audio

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/echo"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/media"
)

// hall is a room in which a Speaker is heard by a Microphone, in a synctest bubble.
// Its samples are counted from its beginning.
type hall struct {
	*rig
	*stage
	stop  func() // both; what their goroutines own may be looked at then
	began time.Time
	zero  time.Duration // the capture clock then

	room   audiotest.Room
	hidden int     // samples by which the sound is later than the cards say
	deaf   bool    // no echo comes back
	near   []int16 // what somebody says at the door
	noise  *rand.Rand

	sound    sync.Mutex
	played   []int16 // by the speaker
	captured []int16 // by the microphone
}

const hallTime = 24 * rate // samples

// inHall runs a test in a hall whose microphone is wanted.
func inHall(t *testing.T, prepare func(*hall), test func(*hall)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hall{rig: newRig(t, DefaultConfig()), stage: newStage(t, DefaultConfig())}
		h.began, h.zero = time.Now(), media.Now()
		h.room, h.noise = audiotest.NewRoom(1), rand.New(rand.NewPCG(1, 1))
		h.played, h.captured, h.near = make([]int16, hallTime), make([]int16, hallTime), make([]int16, hallTime)
		far := NewFarEnd()
		h.mic.duplex.far, h.speaker.deps.Far = far, far
		h.speaker.deps.Jitter = func() Jitter { return &script{said: audiotest.Voice(21, hallTime)} }
		h.mic.source.open = func(string) (stream, error) { return h.listen(), nil }
		prepare(h)
		release := h.feed.Want()
		h.rig.run()
		h.stage.run()
		h.stop = sync.OnceFunc(func() { h.stage.stop(); h.rig.stop() })
		time.Sleep(500 * time.Millisecond)
		test(h)
		h.stop()
		release()
	})
}

// script is a voice that says one thing.
type script struct {
	fakeJitter
	said []int16
}

func (s *script) Get(frame []int16) bool { s.said = s.said[copy(frame, s.said):]; return true }

func (s *script) Stats() jitter.Stats { return jitter.Stats{} }

// ear is a microphone in the hall.
type ear struct {
	*audiotest.Mic
	hall *hall
	at   int // the next sample
}

func (h *hall) listen() *ear {
	return &ear{audiotest.NewMic(), h, h.place(time.Now())}
}

func (h *hall) place(t time.Time) int { return int(samplesIn(t.Sub(h.began))) }

func (e *ear) Read(samples []int16) (int, error) {
	n, err := e.Mic.Read(samples)
	e.hall.hear(samples[:n], e.at)
	e.at += n
	return n, err
}

func (e *ear) Restart() error {
	e.at = e.hall.place(time.Now())
	return e.Mic.Restart()
}

// hear reads what there is in the hall from a place on, in the past.
func (h *hall) hear(samples []int16, from int) {
	h.sound.Lock()
	defer h.sound.Unlock()
	h.stage.mu.Lock()
	cards := slices.Clone(h.stage.opened)
	h.stage.mu.Unlock()
	for _, card := range cards {
		for _, r := range card.Runs() {
			at := h.place(r.Began)
			fresh := max(0, min(len(r.Samples), from-rate/2-at)) // the rest was copied before
			copy(h.played[at+fresh:], r.Samples[fresh:])
		}
	}
	for i := range samples {
		at := from + i
		samples[i] = h.near[at] + int16(h.noise.IntN(61)-30)
		if !h.deaf {
			samples[i] += h.room.At(h.played, at-h.hidden)
		}
	}
	copy(h.captured[from:], samples)
}

// talk announces a voice, and lets it speak for a time.
func (h *hall) talk(d time.Duration) {
	h.announce(h.notice())
	v := h.voice(context.Background())
	time.Sleep(d)
	v.Close()
}

// notice is chime and words, of 2.4 s.
func (h *hall) notice() (packets [][]byte) {
	h.stage.t.Helper()
	e, err := opus.New(32000)
	if err != nil {
		h.stage.t.Fatal(err)
	}
	defer e.Close()
	for f := range slices.Chunk(append(audiotest.Chime(), audiotest.Voice(5, 70*opus.FrameSamples)...), opus.FrameSamples) {
		p, err := e.Encode(nil, f)
		if err != nil {
			h.stage.t.Fatal(err)
		}
		packets = append(packets, p)
	}
	return packets
}

// published returns what a listener hears, at its place.
func (h *hall) published() []int16 {
	h.stage.t.Helper()
	h.rig.mu.Lock()
	defer h.rig.mu.Unlock()
	out, d := make([]int16, hallTime), opus.NewDecoder()
	frame := make([]int16, opus.FrameSamples)
	for i, packet := range h.data {
		if _, err := d.Decode(frame, packet); err != nil {
			h.stage.t.Fatal(err)
		}
		copy(out[samplesIn(h.pts[i]-h.zero):], frame)
	}
	return out
}

func decibels(of, to []int16) float64 {
	return 20 * math.Log10(max(1, audiotest.Level(of))/max(1, audiotest.Level(to)))
}

// TestEchoIsTakenOut: of a voice after its announcement, at least 12 dB less of its
// echo are published than captured (echo return loss enhancement), from six seconds
// after its beginning on. The cards tell their places in steps of 10 ms; one adds
// 150 ms of which they don't tell.
func TestEchoIsTakenOut(t *testing.T) {
	for _, c := range []struct{ seed, hidden int }{{1, 0}, {2, 1440}, {3, 7200}} {
		inHall(t, func(h *hall) { h.room, h.hidden = audiotest.NewRoom(uint64(c.seed)), c.hidden }, func(h *hall) {
			h.talk(12 * time.Second)
			h.stop()
			end := h.place(time.Now()) - rate/5
			from, begin := end-5*rate, end-12*rate+rate/2
			before, after := h.captured[from:end], h.published()[from:end]
			gain, first := decibels(before, after), decibels(h.captured[begin:begin+rate], h.published()[begin:begin+rate])
			h.stage.t.Logf("%d ms hidden: echo return loss enhancement %.1f dB, in the first second %.1f; delay found %+v", c.hidden/48, gain, first, h.mic.duplex.trust)
			if gain < 12 || audiotest.Level(before) < 100 {
				h.stage.t.Errorf("the echo is lowered by %.1f dB, want 12", gain)
			}
			if d := &h.mic.duplex; d.handling != EchoCancel || !d.trust.known || d.trust.samples < lead+c.hidden-480 || d.trust.samples > lead+c.hidden+1000 {
				h.stage.t.Errorf("%s with a delay of %+v, want %d", d.handling, d.trust, lead+c.hidden+96)
			}
		})
	}
}

// TestEchoComesBackUnlessItIsTakenOut: what TestEchoIsTakenOut measures isn't the
// codec's doing.
func TestEchoComesBackUnlessItIsTakenOut(t *testing.T) {
	inHall(t, func(h *hall) { h.mic.duplex.wanted = EchoOff }, func(h *hall) {
		h.talk(12 * time.Second)
		h.stop()
		end := h.place(time.Now()) - rate/5
		from := end - 5*rate
		if gain := decibels(h.captured[from:end], h.published()[from:end]); gain < -2 || gain > 2 {
			h.stage.t.Errorf("the echo is lowered by %.1f dB, want 0", gain)
		}
	})
}

// TestNearSpeechIsKept: somebody at the door speaks while the far end does, as loud
// as its echo. What is published resembles that speech, more than what is captured.
func TestNearSpeechIsKept(t *testing.T) {
	const from = 14 * rate
	said := audiotest.Voice(22, hallTime-from)
	inHall(t, func(h *hall) {
		for i, s := range said {
			h.near[from+i] = s / 4
		}
	}, func(h *hall) {
		h.talk(14 * time.Second)
		h.stop()
		words := h.near[from+rate/2 : from+rate*3/2]
		_, got := echo.Delay(words, h.published()[from+rate/2:from+2*rate])
		_, without := echo.Delay(words, h.captured[from+rate/2:from+2*rate])
		h.stage.t.Logf("correlation %.2f, in the microphone %.2f", got, without)
		if got < 0.6 || got < without {
			h.stage.t.Errorf("correlation with what is said %.2f, want 0.6 and above the microphone's %.2f", got, without)
		}
	})
}

// TestOtherCardsAreDucked, and before and after what is said is heard untouched.
func TestOtherCardsAreDucked(t *testing.T) {
	inHall(t, func(h *hall) {
		h.near = audiotest.Voice(22, hallTime)
		h.speaker.output.find = func() (string, error) { return "hw:0,0", nil }
	}, func(h *hall) {
		time.Sleep(time.Second)
		h.talk(3 * time.Second)
		end := h.place(time.Now())
		time.Sleep(2 * time.Second)
		h.stop()
		out := h.published()
		if got := decibels(h.captured[end-2*rate:end], out[end-2*rate:end]); got < 20 {
			h.stage.t.Errorf("the microphone is lowered by %.1f dB, want 20", got)
		}
		for name, from := range map[string]int{"before": rate / 2, "after": end + rate*3/4} {
			_, likeness := echo.Delay(h.near[from:from+rate], out[from:])
			if likeness < 0.9 {
				h.stage.t.Errorf("%s: correlation with what is said %.2f, want 0.9", name, likeness)
			}
		}
		if h.mic.duplex.handling != EchoDuck {
			h.stage.t.Errorf("handling is %s", h.mic.duplex.handling)
		}
	})
}

// TestNoDelayFoundDucks: the speaker isn't heard in the microphone at all, so that
// nothing tells where its echo would be.
func TestNoDelayFoundDucks(t *testing.T) {
	inHall(t, func(h *hall) { h.deaf = true }, func(h *hall) {
		h.talk(3 * time.Second)
		h.mic.SetPrivacy(true)
		if d := &h.mic.duplex; d.handling != EchoDuck || d.warm != 0 {
			h.stage.t.Errorf("handling is %s with %+v, want %s", d.handling, d.trust, EchoDuck)
		}
		h.deaf = false // the volume is turned up
		h.mic.SetPrivacy(false)
		time.Sleep(3 * time.Second)
		h.talk(3 * time.Second)
		h.stop()
		if d := &h.mic.duplex; d.handling != EchoCancel {
			h.stage.t.Errorf("handling is %s with %+v, want %s", d.handling, d.trust, EchoCancel)
		}
	})
}

// TestPrivacyWhileEchoIsCancelled: the canceller goes with the card.
func TestPrivacyWhileEchoIsCancelled(t *testing.T) {
	inHall(t, func(*hall) {}, func(h *hall) {
		h.announce(h.notice())
		v := h.voice(context.Background())
		time.Sleep(time.Second)
		if h.mic.SetPrivacy(true); h.mic.duplex.canceller != nil {
			h.stage.t.Error("the canceller outlives the card")
		}
		h.mic.SetPrivacy(false)
		time.Sleep(time.Second)
		v.Close()
		h.stop()
		if d := &h.mic.duplex; d.warm <= warming || d.handling != EchoCancel || d.shift != d.trust.samples {
			h.stage.t.Errorf("in the next session: %s, %+v", d.handling, d.trust)
		}
	})
}

func BenchmarkMicrophone(b *testing.B) {
	for _, c := range []struct{ name, wanted, speaker string }{
		{"nothing_played", "auto", ""},
		{"cancel", "auto", "hw:1,0"},
		{"duck", "auto", "hw:0,0"},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := newPair(b, c.wanted, c.speaker)
			m := &Microphone{
				out: media.NewFeed[*media.AudioFrame](), pool: media.NewPool[media.AudioFrame](poolFrames),
			}
			encoder, err := opus.New(32000)
			if err != nil {
				b.Fatal(err)
			}
			defer encoder.Close()
			if c.speaker != "" {
				p.far.begin(c.speaker, false)
			}
			voice := audiotest.Voice(1, 10*rate)
			echoed := audiotest.NewRoom(1).Echo(voice, 0)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				copy(m.frame[:], echoed[i:])
				if c.speaker != "" {
					p.play(voice[i : i+opus.FrameSamples])
				}
				p.capture(m.frame[:])
				if err := m.publish(encoder, 0); err != nil {
					b.Fatal(err)
				}
				i = (i + opus.FrameSamples) % (len(voice) - opus.FrameSamples)
			}
		})
	}
}
