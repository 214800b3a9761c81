//go:build cgo

package audio

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/health"
)

func TestAnnouncementSilencesTheVoice(t *testing.T) {
	chime, prompt := clip(t, 880, 20), clip(t, 1320, 50)
	onStage(t, func(st *stage) {
		st.announce(chime)
		v := st.voice(st.t.Context())
		said := time.Now()
		spoken := make(chan struct{})
		go func() { talk(v, 4*time.Second); close(spoken) }()
		time.Sleep(time.Second)
		st.announce(prompt)
		prompted := time.Since(said)
		<-spoken
		heard, whole := st.card().Heard(), sound(t, prompt)
		begin := contains(heard, whole)
		if begin < 0 {
			t.Fatal("the prompt isn't heard whole")
		}
		before, after := 0, 0
		for _, at := range remoteAt(heard) {
			if at < begin {
				before++
			} else if at >= begin+len(whole) {
				after++
			} else {
				t.Errorf("the voice is heard within the prompt")
			}
		}
		if before == 0 || after == 0 {
			t.Errorf("the voice is heard %d times before and %d times after the prompt", before, after)
		}
		if !slices.ContainsFunc(st.card().Runs(), func(r audiotest.Run) bool { return contains(r.Samples, whole) == 0 }) {
			t.Error("the prompt waits until what the card holds of the voice was heard")
		}
		if first, due := st.jitters[1].first, uint16(prompted/frameLen); len(st.jitters) != 2 || first < due-1 {
			t.Errorf("packet %d is heard after the prompt, when %d was due", first, due)
		}
		v.Close()
		if n := v.past.Received + uint64(v.dropped.Load()); n != 200 || v.dropped.Load() < 50 {
			t.Errorf("%d of 200 packets counted, %d during the prompt", n, v.dropped.Load())
		}
	})
}

func TestVoiceEndsAtOnce(t *testing.T) {
	chime := clip(t, 880, 20)
	for name, end := range map[string]func(*Voice, context.CancelFunc){
		"closed":               func(v *Voice, _ context.CancelFunc) { v.Close() },
		"its right has ended":  func(v *Voice, cancel context.CancelFunc) { cancel(); <-v.Done() },
		"both, more than once": func(v *Voice, cancel context.CancelFunc) { cancel(); v.Close(); v.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(st *stage) {
				st.announce(chime)
				ctx, cancel := context.WithCancel(st.t.Context())
				defer cancel()
				v := st.voice(ctx)
				talk(v, time.Second)
				at := time.Now()
				end(v, cancel)
				if took := time.Since(at); took > 2*frameLen {
					t.Errorf("it took %v", took)
				}
				n := len(st.card().Heard())
				v.Packet(0, 0, remote)
				time.Sleep(time.Second)
				if got := len(st.card().Heard()); got != n || v.Err() != nil {
					t.Errorf("%d samples heard after the end, error %v", got-n, v.Err())
				}
			})
		})
	}
}

func TestCardFailsUnderTheVoice(t *testing.T) {
	chime := clip(t, 880, 20)
	onStage(t, func(st *stage) {
		st.next = []*audiotest.Speaker{faultyCard(alsa.ErrGone, 60000)}
		st.announce(chime)
		v := st.voice(st.t.Context())
		talk(v, 2*time.Second)
		<-v.Done()
		if err := v.Err(); err == nil || !strings.Contains(err.Error(), "it is not plugged in") {
			t.Errorf("the voice ended with %v", err)
		}
		v.Close()
		if !st.card().Closed() {
			t.Error("the card is still open")
		}
	})
}

func TestVoiceGoesOnAfterAnUnderrun(t *testing.T) {
	chime := clip(t, 880, 20)
	onStage(t, func(st *stage) {
		st.next = []*audiotest.Speaker{faultyCard(alsa.ErrXrun, 40000, 60000)}
		st.announce(chime)
		v := st.voice(st.t.Context())
		talk(v, 2*time.Second)
		if n := len(remoteAt(st.card().Heard())); n < 3 || st.speaker.lost.n != 2 {
			t.Errorf("the voice is heard in %d pieces with %d underruns", n, st.speaker.lost.n)
		}
		v.Close()
		st.expect(health.OK, "")
	})
}

// TestVoiceWaitsLittle: what is late in the card is late for people.
func TestVoiceWaitsLittle(t *testing.T) {
	chime := clip(t, 880, 20)
	onStage(t, func(st *stage) {
		st.announce(chime)
		v := st.voice(st.t.Context())
		time.Sleep(time.Second)
		said := time.Now()
		talk(v, 200*time.Millisecond)
		runs := st.card().Runs()
		last := runs[len(runs)-1]
		at := remoteAt(last.Samples)
		if len(at) == 0 {
			t.Fatal("the voice isn't heard")
		}
		if late := last.At(at[0]).Sub(said); late < 0 || late > 4*frameLen {
			t.Errorf("the voice is heard after %v", late)
		}
		v.Close()
	})
}

func TestSilentTellsHowLongNobodySpoke(t *testing.T) {
	chime := clip(t, 880, 20)
	onStage(t, func(st *stage) {
		st.announce(chime)
		v := st.voice(st.t.Context())
		time.Sleep(10 * time.Second)
		if s := v.Silent(); s < 9*time.Second {
			t.Errorf("silent for %v before the first word", s)
		}
		talk(v, time.Second)
		if s := v.Silent(); s > 100*time.Millisecond {
			t.Errorf("silent for %v while somebody speaks", s)
		}
		time.Sleep(time.Minute)
		if s := v.Silent(); s < 59*time.Second {
			t.Errorf("silent for %v after a minute", s)
		}
		v.Close()
	})
}

// TestGarbageIsNotHeard uses the jitter buffer and decoder that a camera uses.
func TestGarbageIsNotHeard(t *testing.T) {
	chime := clip(t, 880, 20)
	onStage(t, func(st *stage) {
		st.speaker.deps.Jitter = func() Jitter { return jitter.New() }
		st.announce(chime)
		v := st.voice(st.t.Context())
		for n := range 100 {
			payload := [][]byte{nil, {0xff}, {0xff, 0xff, 0xff, 0xff}, make([]byte, 1400), {3}}[n%5]
			v.Packet(uint16(n), uint32(n*opus.FrameSamples), payload)
			time.Sleep(frameLen)
		}
		heard := st.card().Heard()[len(sound(t, chime)):]
		if level := dynamics.Level(heard); level > dynamics.Silence {
			t.Errorf("garbage is heard at %.0f dBFS", level)
		}
		if s := v.Silent(); s < 2*time.Second {
			t.Errorf("garbage counts as speech: silent for %v", s)
		}
		v.Close()
		if v.past.Received != 100 || v.past.Garbled < 99 { // the last may wait yet
			t.Errorf("%d of 100 counted as garbled: %+v", v.past.Garbled, v.past)
		}
	})
}

// TestVoiceIsHeard is the same for Opus.
func TestVoiceIsHeard(t *testing.T) {
	chime, voice := clip(t, 880, 20), clip(t, 3000, 100)
	onStage(t, func(st *stage) {
		st.speaker.deps.Jitter = func() Jitter { return jitter.New() }
		st.announce(chime)
		v := st.voice(st.t.Context())
		for n, p := range voice {
			v.Packet(uint16(n), uint32(n*opus.FrameSamples), p)
			time.Sleep(frameLen)
		}
		heard := st.card().Heard()
		last := heard[len(heard)-rate/2:]
		if p := audiotest.Purity(last, 3000); p < 0.9 || audiotest.Level(last) < 4000 {
			t.Errorf("the voice is heard with purity %.2f and level %.0f", p, audiotest.Level(last))
		}
		v.Close()
	})
}

// TestOneAnnouncementLetsOneVoiceIn even if requests keep the card open.
func TestOneAnnouncementLetsOneVoiceIn(t *testing.T) {
	for name, heard := range map[string]time.Duration{"never": 0, "too long ago": linger + time.Millisecond} {
		p := &playing{out: endlessCard{}}
		if heard > 0 {
			p.heard = time.Now().Add(-heard)
		}
		if _, err := p.admit(t.Context()); !errors.Is(err, ErrUnannounced) {
			t.Errorf("%s: admit = %v, want ErrUnannounced", name, err)
		}
	}
}

// TestAPromptLetsNoVoiceIn, nor does a notice before it: what the room has heard last
// must be whose voice comes.
func TestAPromptLetsNoVoiceIn(t *testing.T) {
	chime := clip(t, 880, 10)
	onStage(t, func(st *stage) {
		for _, notice := range []bool{false, true} {
			if notice {
				st.announce(chime)
			}
			if err := st.speaker.Prompt(st.t.Context(), chime); err != nil {
				t.Fatal(err)
			}
			v, err := st.speaker.Voice(st.t.Context())
			if !errors.Is(err, ErrUnannounced) {
				t.Errorf("Voice = %v, want ErrUnannounced", err)
			}
			if v != nil {
				v.Close()
			}
		}
	})
}

// TestReleasedVoiceLeavesNothingInTheCard even if the card stays open.
func TestReleasedVoiceLeavesNothingInTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := audiotest.NewSpeaker()
		s := newStage(t, DefaultConfig()).speaker
		p := &playing{s: s, ctx: t.Context(), out: card, heard: time.Now(), timer: time.NewTimer(0)}
		v, err := p.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			v.Packet(uint16(n), 0, remote)
			p.speak()
		}
		p.release(true)
		n := len(card.Heard())
		time.Sleep(time.Second)
		if got := len(card.Heard()); got != n || p.broken != nil {
			t.Errorf("%d samples heard after the voice was released; %v", got-n, p.broken)
		}
	})
}

func TestNullPlaysToTheTapAlone(t *testing.T) {
	chime := clip(t, 880, 50)
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Speaker = "null"
		st := newStage(t, cfg)
		st.run()
		began := time.Now()
		st.announce(chime)
		if took := time.Since(began); took < time.Second || st.tapped < rate {
			t.Errorf("a second took %v, and %d samples were tapped", took, st.tapped)
		}
		st.voice(st.t.Context()).Close()
		st.expect(health.OK, "")
		st.stop()
	})
}

func TestWithoutSpeakerOffSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Speaker = "off"
		st := newStage(t, cfg)
		st.run()
		if err := st.speaker.Ready(); err == nil || !strings.Contains(err.Error(), "no speaker") {
			t.Errorf("Ready = %v", err)
		}
		st.expect(health.OK, "off")
		st.stop()
	})
}

func TestMissingSpeakerIsLookedForEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, DefaultConfig())
		st.missing = fault("There is no speaker: no device /dev/snd/pcmC*D*p.")
		st.run()
		st.expect(health.Failed, "There is no speaker")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if st.looked < 15 || st.looked > 60 {
			t.Errorf("looked %d times in ten minutes", st.looked)
		}
		st.mu.Lock()
		st.missing = nil
		st.mu.Unlock()
		if err := st.speaker.Ready(); err != nil { // doesn't wait for the pause to end
			t.Errorf("Ready = %v", err)
		}
		st.expect(health.OK, "")
		st.stop()
	})
}

func TestNewSpeakerRefusesWhatIsNoDevice(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	cfg := DefaultConfig()
	cfg.Speaker = "default"
	_, err := NewSpeaker(cfg, log, health.NewBoard(log), SpeakerDeps{})
	if err == nil || !strings.Contains(err.Error(), "hw:CARD,DEVICE") {
		t.Errorf("NewSpeaker = %v", err)
	}
}

// endlessCard takes all at once.
type endlessCard struct{ audiotest.Player }

func (endlessCard) Write(s []int16) (int, error) { return len(s), nil }
func (endlessCard) Delay() (int, error)          { return ahead, nil }
func (endlessCard) Drain(context.Context) error  { return nil }
func (endlessCard) Restart() error               { return nil }

func TestSpeakingAllocatesNothing(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := NewSpeaker(DefaultConfig(), log, health.NewBoard(log), SpeakerDeps{
		Jitter: func() Jitter { return &fakeJitter{} }, Tap: func([]int16) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &playing{s: s, ctx: t.Context(), out: endlessCard{}, decoder: opus.NewDecoder(), timer: time.NewTimer(0)}
	if err := p.announce(t.Context(), clip(t, 880, 10)); err != nil {
		t.Fatal(err)
	}
	v, err := p.admit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(200, func() {
		v.Packet(1, 960, remote)
		p.timer.Reset(p.pause())
		<-p.timer.C
		p.speak()
	})
	if n != 0 || p.broken != nil {
		t.Errorf("%v allocations a frame, want none; %v", n, p.broken)
	}
}
