//go:build cgo

package audio

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
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

// stage is a speaker that runs in a synctest bubble on a fake card.
type stage struct {
	t       *testing.T
	board   *health.Board
	speaker *Speaker
	stop    func()

	mu      sync.Mutex
	missing error // what find says
	unset   error // what level says
	refused error // what open says
	looked  int
	next    []*audiotest.Speaker // what open gives, then ordinary ones
	opened  []*audiotest.Speaker
	tapped  int
	jitters []*fakeJitter
}

func newStage(t *testing.T, cfg Config) *stage {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st := &stage{t: t, board: health.NewBoard(log)}
	s, err := NewSpeaker(cfg, log, st.board, SpeakerDeps{
		Jitter: func() Jitter { j := &fakeJitter{}; st.jitters = append(st.jitters, j); return j },
		Tap:    func(frame []int16) { st.tapped += len(frame) },
	})
	if err != nil {
		t.Fatal(err)
	}
	st.speaker = s
	if cfg.Speaker == "auto" {
		s.output = output{st.find, st.open, st.level}
	}
	return st
}

// onStage runs a test with a speaker that runs on fake cards.
func onStage(t *testing.T, test func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, DefaultConfig())
		st.run()
		test(st)
		st.stop()
		for i, card := range st.opened {
			if !card.Closed() {
				t.Errorf("card %d is still open", i)
			}
		}
	})
}

func (st *stage) find() (string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.looked++
	return "hw:1,0", st.missing
}

func (st *stage) level(string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.unset
}

func (st *stage) open(string) (player, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.refused != nil {
		return nil, st.refused
	}
	s := audiotest.NewSpeaker()
	if len(st.next) > 0 {
		s, st.next = st.next[0], st.next[1:]
	}
	st.opened = append(st.opened, s)
	return s, nil
}

func (st *stage) run() {
	ctx, cancel := context.WithCancel(st.t.Context())
	done := make(chan error)
	go func() { done <- st.speaker.Run(ctx, func() {}) }()
	st.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			st.t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

func (st *stage) expect(state health.State, reason string) {
	st.t.Helper()
	synctest.Wait()
	if s := st.board.Snapshot()[0]; s.State != state || !strings.Contains(s.Reason, reason) {
		st.t.Errorf("health is %s %q, want %s %q", s.State, s.Reason, state, reason)
	}
}

func (st *stage) announce(clips [][]byte) {
	st.t.Helper()
	if err := st.speaker.Announce(st.t.Context(), clips); err != nil {
		st.t.Fatalf("Announce: %v", err)
	}
}

func (st *stage) voice(ctx context.Context) *Voice {
	st.t.Helper()
	v, err := st.speaker.Voice(ctx)
	if err != nil {
		st.t.Fatalf("Voice: %v", err)
	}
	return v
}

// card is the last one opened.
func (st *stage) card() *audiotest.Speaker {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.opened[len(st.opened)-1]
}

// faultyCard is a card that takes samples and then fails, once for each place.
func faultyCard(err error, after ...int64) *audiotest.Speaker {
	s := audiotest.NewSpeaker()
	for _, n := range after {
		s.Faults[n] = err
	}
	return s
}

// mark is the one value of all samples of a remote voice here. No announcement has
// it for longer than some samples.
const mark = 7777

// remote is a packet of a voice, for fakeJitter.
var remote = []byte("a voice")

// fakeJitter gives a frame for each packet, in the order in which they came.
type fakeJitter struct {
	mu      sync.Mutex
	waiting int
	first   uint16 // sequence number
	stats   jitter.Stats
}

func (j *fakeJitter) Put(seq uint16, _ uint32, _ []byte, _ time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stats.Received++; j.stats.Received == 1 {
		j.first = seq
	}
	j.waiting++
}

func (j *fakeJitter) Get(frame []int16) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.waiting == 0 {
		return false
	}
	j.waiting--
	for i := range frame {
		frame[i] = mark
	}
	return true
}

func (j *fakeJitter) Stats() jitter.Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// talk sends a packet every 20 ms for a time.
func talk(v *Voice, d time.Duration) {
	for n := range int(d / frameLen) {
		v.Packet(uint16(n), uint32(n*opus.FrameSamples), remote)
		time.Sleep(frameLen)
	}
}

// remoteAt lists the places of the voice's samples: runs of mark.
func remoteAt(samples []int16) (at []int) {
	run := 0
	for i, s := range samples {
		if run++; s != mark {
			run = 0
		}
		if run == 48 { // one ms
			at = append(at, i-47)
		}
	}
	return at
}

// clip encodes a tone: an announcement of n packets.
func clip(t *testing.T, hz float64, n int) (packets [][]byte) {
	t.Helper()
	e, err := opus.New(32000)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	wave := audiotest.Sine(hz, 12000, n*opus.FrameSamples)
	for f := range slices.Chunk(wave, opus.FrameSamples) {
		p, err := e.Encode(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, p)
	}
	return packets
}

// sound is what the room hears of an announcement, sample by sample.
func sound(t *testing.T, packets [][]byte) (samples []int16) {
	t.Helper()
	d := opus.NewDecoder()
	limiter := dynamics.NewLimiter(ceiling)
	for _, p := range packets {
		frame := make([]int16, opus.FrameSamples)
		if _, err := d.Decode(frame, p); err != nil {
			t.Fatal(err)
		}
		samples = append(samples, frame...)
	}
	samples = append(samples, make([]int16, limiter.Delay())...)
	limiter.Process(samples)
	return samples
}

// contains tells where whole lies in samples, or -1.
func contains(samples, whole []int16) int {
	for i := 0; i+len(whole) <= len(samples); i++ {
		if slices.Equal(samples[i:i+len(whole)], whole) {
			return i
		}
	}
	return -1
}

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
