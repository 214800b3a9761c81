//go:build cgo

package audio

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/health"
)

func TestWholeAnnouncementIsHeardBeforeTheVoice(t *testing.T) {
	chime := append(clip(t, 880, 25), clip(t, 1320, 50)...)
	onStage(t, func(st *stage) {
		began := time.Now()
		st.announce(chime)
		whole := sound(t, chime)
		if took, least := time.Since(began), time.Duration(len(whole))*time.Second/rate; took < least {
			t.Errorf("Announce returned after %v, before its %v were heard", took, least)
		}
		if got := st.card().Heard(); contains(got, whole) != 0 {
			t.Errorf("the announcement isn't whole in the %d samples heard when Announce returned", len(got))
		}
		time.Sleep(time.Second)
		v := st.voice(st.t.Context())
		talk(v, time.Second)
		heard := st.card().Heard()
		at := remoteAt(heard)
		if len(at) == 0 || at[0] < len(whole) || contains(heard, whole) != 0 {
			t.Errorf("the voice is heard %d times, first %v; the announcement has %d samples", len(at), at[:min(1, len(at))], len(whole))
		}
		v.Close()
		if len(st.opened) != 1 || st.tapped == 0 {
			t.Errorf("%d cards opened, %d samples tapped", len(st.opened), st.tapped)
		}
		if voice := len(heard) - len(whole); voice < rate*8/10 {
			t.Errorf("%d samples heard in a second of voice", voice)
		}
	})
}

func TestVoiceNeedsAnAnnouncement(t *testing.T) {
	chime := clip(t, 880, 10)
	onStage(t, func(st *stage) {
		refused := func(what string, want error) {
			t.Helper()
			if v, err := st.speaker.Voice(st.t.Context()); !errors.Is(err, want) || v != nil {
				t.Errorf("%s: Voice = %v, %v, want %v", what, v != nil, err, want)
				if v != nil {
					v.Close()
				}
			}
		}
		refused("at rest", ErrUnannounced)
		if err := st.speaker.Ready(); err != nil {
			t.Fatal(err)
		}
		refused("on an open card", ErrUnannounced)
		st.announce(chime)
		time.Sleep(linger + time.Millisecond)
		refused("too late", ErrUnannounced)
		st.announce(chime)
		time.Sleep(linger - 100*time.Millisecond)
		v := st.voice(st.t.Context())
		refused("a second", ErrTaken)
		v.Close()
		refused("after the one that was announced", ErrUnannounced)
		st.announce(chime)
		v = st.voice(st.t.Context())
		st.announce(chime) // over the voice
		v.Close()
		refused("after an announcement over another voice", ErrUnannounced)
	})
}

func TestCardIsClosedWhenNothingPlays(t *testing.T) {
	chime := clip(t, 880, 10)
	onStage(t, func(st *stage) {
		if len(st.opened) != 0 || st.looked != 1 {
			t.Errorf("at rest: opened %d times, looked %d times", len(st.opened), st.looked)
		}
		st.announce(chime)
		time.Sleep(linger - time.Millisecond)
		if st.card().Closed() {
			t.Error("the card is closed at once")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !st.card().Closed() {
			t.Error("the card is open after an announcement")
		}
		st.announce(chime)
		v := st.voice(st.t.Context())
		time.Sleep(10 * time.Minute) // of endless silence
		if st.card().Closed() || len(st.opened) != 2 || len(remoteAt(st.card().Heard())) != 0 {
			t.Error("silence closed the card or was heard")
		}
		if s := v.Silent(); s < 10*time.Minute {
			t.Errorf("silent for %v", s)
		}
		v.Close()
		synctest.Wait()
		if !st.card().Closed() {
			t.Error("the card is open after the voice")
		}
		st.expect(health.OK, "")
	})
}

func TestUnpluggedInTheMiddleOfTheNotice(t *testing.T) {
	chime := clip(t, 880, 50)
	onStage(t, func(st *stage) {
		st.next = []*audiotest.Speaker{faultyCard(alsa.ErrGone, 20000)}
		err := st.speaker.Announce(st.t.Context(), chime)
		if err == nil || !strings.Contains(err.Error(), "The speaker hw:1,0 fails: it is not plugged in.") {
			t.Errorf("Announce = %v", err)
		}
		st.expect(health.Failed, "The speaker hw:1,0 fails: it is not plugged in.")
		if !st.card().Closed() {
			t.Error("the unplugged card is still open")
		}
		if _, err := st.speaker.Voice(st.t.Context()); !errors.Is(err, ErrUnannounced) {
			t.Errorf("Voice = %v, want ErrUnannounced", err)
		}
		time.Sleep(5 * time.Second)
		st.expect(health.OK, "")
	})
}

func TestUnderrunPlaysTheWholeAnnouncementOnceMore(t *testing.T) {
	chime := clip(t, 880, 50)
	onStage(t, func(st *stage) {
		st.next = []*audiotest.Speaker{faultyCard(alsa.ErrXrun, 20000)}
		st.announce(chime)
		runs := st.card().Runs()
		if len(runs) != 2 || contains(runs[1].Samples, sound(t, chime)) != 0 || st.card().Restarts() != 1 {
			t.Errorf("%d runs, %d restarts; the second isn't whole", len(runs), st.card().Restarts())
		}
		st.voice(st.t.Context()).Close()
		st.expect(health.OK, "")
	})
}

func TestSecondUnderrunFailsTheAnnouncement(t *testing.T) {
	chime := clip(t, 880, 50)
	onStage(t, func(st *stage) {
		st.next = []*audiotest.Speaker{faultyCard(alsa.ErrXrun, 20000, 40000)}
		if err := st.speaker.Announce(st.t.Context(), chime); err == nil || !strings.Contains(err.Error(), "samples were lost") {
			t.Errorf("Announce = %v", err)
		}
		if _, err := st.speaker.Voice(st.t.Context()); !errors.Is(err, ErrUnannounced) {
			t.Errorf("Voice = %v, want ErrUnannounced", err)
		}
	})
}

// TestWithoutSpeakerNothingIsAnnounced: open, write or level fails, or there is none.
func TestWithoutSpeakerNothingIsAnnounced(t *testing.T) {
	chime := clip(t, 880, 10)
	for sentence, broken := range map[string]func(*stage){
		"There is no speaker.":                  func(st *stage) { st.missing = fault("There is no speaker.") },
		"The level of the speaker can't be set": func(st *stage) { st.unset = fault("The level of the speaker can't be set.") },
		"fails: another program uses it":        func(st *stage) { st.refused = alsa.ErrBusy },
		"fails: it plays nothing": func(st *stage) {
			st.next = []*audiotest.Speaker{audiotest.NewSpeaker(), faultyCard(alsa.ErrStuck, 0)}
		},
		"camd's log names": func(st *stage) {
			st.next = []*audiotest.Speaker{audiotest.NewSpeaker(), faultyCard(errors.New("input/output error"), 2000)}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			onStage(t, func(st *stage) {
				broken(st)
				ready := st.speaker.Ready()
				if len(st.next) > 0 { // only playing shows it
					time.Sleep(2 * linger)
				} else if ready == nil || !strings.Contains(ready.Error(), sentence) {
					t.Errorf("Ready = %v", ready)
				}
				if err := st.speaker.Announce(st.t.Context(), chime); err == nil || !strings.Contains(err.Error(), sentence) {
					t.Errorf("Announce = %v", err)
				}
				st.expect(health.Failed, sentence)
			})
		})
	}
}

func TestWhatIsNoAnnouncementIsRefused(t *testing.T) {
	good := clip(t, 880, 10)
	silent := make([][]byte, 0, 10)
	e, err := opus.New(32000)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range 10 {
		p, err := e.Encode(nil, make([]int16, opus.FrameSamples))
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, p)
	}
	for name, clips := range map[string][][]byte{
		"nothing": nil, "an empty packet": {{}}, "silence": silent,
		"garbage within": append(slices.Clone(good), []byte{0xff, 0xff, 0xff}),
		"10 ms":          {{15 << 3, 1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(st *stage) {
				if err := st.speaker.Announce(st.t.Context(), clips); !errors.Is(err, ErrClip) {
					t.Errorf("Announce = %v, want ErrClip", err)
				}
				if _, err := st.speaker.Voice(st.t.Context()); !errors.Is(err, ErrUnannounced) {
					t.Errorf("Voice = %v, want ErrUnannounced", err)
				}
				st.announce(good) // on the same card
				st.expect(health.OK, "")
				if len(st.opened) != 1 {
					t.Errorf("%d cards opened", len(st.opened))
				}
			})
		})
	}
}

func TestAnnouncementsArePlayedInOrder(t *testing.T) {
	first, second := clip(t, 880, 20), clip(t, 1320, 20)
	onStage(t, func(st *stage) {
		var wg sync.WaitGroup
		for _, c := range [][][]byte{first, second} {
			wg.Go(func() { st.announce(c) })
			synctest.Wait()
		}
		wg.Wait()
		heard := st.card().Heard()
		a, b := contains(heard, sound(t, first)), contains(heard, sound(t, second))
		if a != 0 || b < len(sound(t, first)) {
			t.Errorf("the first begins at %d, the second at %d", a, b)
		}
	})
}

func TestEndOfTheContextEndsTheAnnouncement(t *testing.T) {
	chime := clip(t, 880, 100)
	onStage(t, func(st *stage) {
		ctx, cancel := context.WithTimeout(st.t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := st.speaker.Announce(ctx, chime); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Announce = %v", err)
		}
		if _, err := st.speaker.Voice(st.t.Context()); !errors.Is(err, ErrUnannounced) {
			t.Errorf("Voice = %v, want ErrUnannounced", err)
		}
		n := len(st.card().Heard())
		time.Sleep(time.Second)
		if got := len(st.card().Heard()); got != n || n > rate*6/10 {
			t.Errorf("%d samples heard after the end, %d before", got-n, n)
		}
		st.expect(health.OK, "")
	})
}

func TestEndOfRunEndsAll(t *testing.T) {
	chime := clip(t, 880, 100)
	onStage(t, func(st *stage) {
		st.announce(chime[:20])
		v := st.voice(st.t.Context())
		announced := make(chan error, 1)
		go func() { announced <- st.speaker.Announce(context.Background(), chime) }()
		time.Sleep(100 * time.Millisecond)
		st.stop()
		<-v.Done()
		for what, err := range map[string]error{"Announce": <-announced, "the voice": v.Err(), "Ready": st.speaker.Ready()} {
			if !errors.Is(err, errStopped) {
				t.Errorf("%s ended with %v, want errStopped", what, err)
			}
		}
		v.Close()
	})
}
