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

	decoder "github.com/pion/opus"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// rig is a microphone that runs in a synctest bubble on a fake card.
type rig struct {
	t     *testing.T
	board *health.Board
	feed  *media.Feed[*media.AudioFrame]
	far   *FarEnd
	mic   *Microphone
	stop  func()

	mu      sync.Mutex
	missing error            // what find says
	unset   error            // what level says
	next    []*audiotest.Mic // what open gives, then ordinary ones
	opened  []*audiotest.Mic
	looked  int
	pts     []time.Duration
	data    [][]byte
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &rig{t: t, board: health.NewBoard(log), feed: media.NewFeed[*media.AudioFrame]()}
	mic, err := New(cfg, log, r.board, r.feed, r.far)
	if err != nil {
		t.Fatal(err)
	}
	r.mic = mic
	if cfg.Source == "alsa" {
		mic.source = source{r.find, r.open, r.level}
	}
	r.feed.Subscribe(func(f *media.AudioFrame) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pts, r.data = append(r.pts, f.PTS), append(r.data, slices.Clone(f.Data))
	})
	return r
}

func (r *rig) find() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked++
	return "hw:1,0", r.missing
}

func (r *rig) level(string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unset
}

func (r *rig) open(string) (stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := audiotest.NewMic()
	if len(r.next) > 0 {
		m, r.next = r.next[0], r.next[1:]
	}
	r.opened = append(r.opened, m)
	return m, nil
}

// run starts the microphone; the bubble's end sees that it ends.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error)
	ready := make(chan struct{})
	go func() { done <- r.mic.Run(ctx, func() { close(ready) }) }()
	<-ready
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
}

func (r *rig) expect(state health.State, reason string) {
	r.t.Helper()
	synctest.Wait()
	if s := r.board.Snapshot()[0]; s.State != state || !strings.Contains(s.Reason, reason) {
		r.t.Errorf("health is %s %q, want %s %q", s.State, s.Reason, state, reason)
	}
}

// faulty returns a card that gives samples and then fails.
func faulty(after int64, err error) *audiotest.Mic {
	m := audiotest.NewMic()
	m.Faults[after] = err
	return m
}

func TestCardIsOpenOnlyWhileWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.run()
		time.Sleep(time.Hour)
		r.expect(health.OK, "")
		if len(r.opened) != 0 || r.looked != 1 {
			t.Errorf("at rest: opened %d times, looked %d times, want 0 and 1", len(r.opened), r.looked)
		}
		for range 2 {
			release := r.feed.Want()
			time.Sleep(time.Second)
			release()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(r.opened) != 2 || !r.opened[0].Closed() || !r.opened[1].Closed() {
			t.Errorf("wanted twice: opened %d times, or left open", len(r.opened))
		}
		if n := len(r.pts); n < 96 || n > 102 {
			t.Errorf("%d frames in two seconds, want 100", n)
		}
		r.stop()
	})
}

func TestEndOfContextClosesTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.run()
		time.Sleep(time.Second)
		r.stop()
		if len(r.opened) != 1 || !r.opened[0].Closed() {
			t.Error("the card is still open")
		}
		r.expect(health.OK, "")
	})
}

// TestSoundIsPreparedForLoss has loss come, go, and be known already when the card is
// opened. In-band FEC needs SILK, which is in configurations 0 to 15 (RFC 6716 table 2).
func TestSoundIsPreparedForLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		silk := func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.data[len(r.data)-1][0]>>3 < 16
		}
		release := r.feed.Want()
		r.run()
		for _, loss := range []int{0, 10, 0, 3} {
			r.mic.SetLoss(loss)
			time.Sleep(time.Second)
			if got := silk(); got != (loss > 0) {
				t.Errorf("loss %d %%: with SILK %v", loss, got)
			}
		}
		release()
		time.Sleep(time.Second)
		defer r.feed.Want()()
		time.Sleep(time.Second)
		if len(r.opened) != 2 || !silk() {
			t.Errorf("opened %d times, want 2; then with SILK %v, want it", len(r.opened), silk())
		}
		r.stop()
	})
}

func TestFramesFollowEachOtherBy20ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		began := media.Now()
		defer r.feed.Want()()
		r.run()
		time.Sleep(5 * time.Second)
		r.stop()
		if d := r.pts[0] - began; d < 0 || d > 10*time.Millisecond {
			t.Errorf("the first sample is stamped %v after the card was opened", d)
		}
		for i := 1; i < len(r.pts); i++ {
			if d := r.pts[i] - r.pts[i-1]; d != 20*time.Millisecond {
				t.Fatalf("frame %d comes %v after the one before", i, d)
			}
		}
	})
}

func TestXrunJumpsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.next = []*audiotest.Mic{faulty(4800+480, alsa.ErrXrun)}
		defer r.feed.Want()()
		r.run()
		time.Sleep(time.Second)
		r.expect(health.OK, "")
		r.stop()
		jump := r.pts[5] - r.pts[4]
		if r.opened[0].Restarts != 1 || len(r.opened) != 1 || jump <= 20*time.Millisecond || jump > 50*time.Millisecond {
			t.Errorf("%d restarts, %d opened, jump of %v", r.opened[0].Restarts, len(r.opened), jump)
		}
	})
}

func TestEndlessXrunsAreAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.mic.source.open = func(string) (stream, error) { return broken{}, nil }
		r.run()
		time.Sleep(time.Minute)
		r.expect(health.Failed, "The microphone hw:1,0 fails: samples were lost.")
		r.stop()
	})
}

// broken overruns always.
type broken struct{ audiotest.Stream }

func (broken) Read([]int16) (int, error) { return 0, alsa.ErrXrun }
func (broken) Restart() error            { return nil }
func (broken) Close() error              { return nil }

func TestUnpluggedCardIsReportedAndReopened(t *testing.T) {
	for sentence, err := range map[string]error{
		"The microphone hw:1,0 fails: it is not plugged in.": alsa.ErrGone,
		"The microphone hw:1,0 fails: it sends nothing.":     alsa.ErrSilent,
		"which camd's log names":                             errors.New("HW_PARAMS: input/output error"),
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, DefaultConfig())
			r.next = []*audiotest.Mic{faulty(9600, err)}
			defer r.feed.Want()()
			r.run()
			time.Sleep(201 * time.Millisecond)
			r.expect(health.Failed, sentence)
			if !r.opened[0].Closed() {
				t.Error("the faulty card is still open")
			}
			time.Sleep(2 * time.Second)
			r.expect(health.OK, "")
			r.stop()
		})
	}
}

func TestMissingCardIsLookedForEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.missing = fault("There is no microphone.")
		r.run()
		r.expect(health.Failed, "There is no microphone.")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if r.looked < 15 || r.looked > 60 {
			t.Errorf("looked %d times in ten minutes", r.looked)
		}
		r.mu.Lock()
		r.missing = nil
		r.mu.Unlock()
		release := r.feed.Want() // who wants sound doesn't wait for the pause to end
		time.Sleep(100 * time.Millisecond)
		r.expect(health.OK, "")
		release()
		r.stop()
	})
}

func TestGainThatCannotBeSetIsReportedAndSoundGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.unset = fault("The level of the microphone hw:1,0 can't be set.")
		release := r.feed.Want()
		r.run()
		time.Sleep(time.Second)
		r.expect(health.Degraded, "The level of the microphone hw:1,0 can't be set.")
		r.mu.Lock()
		if len(r.pts) < 45 {
			t.Errorf("%d frames in a second", len(r.pts))
		}
		r.mu.Unlock()
		release()
		time.Sleep(time.Second)
		r.expect(health.Degraded, "can't be set")
		r.mu.Lock()
		r.unset = nil
		r.mu.Unlock()
		defer r.feed.Want()()
		time.Sleep(time.Second)
		r.expect(health.OK, "")
		r.stop()
	})
}

func TestOffSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Source: "off"})
		defer r.feed.Want()()
		r.run()
		time.Sleep(time.Minute)
		r.expect(health.OK, "off")
		r.stop()
	})
}

func TestNewRefusesWhatIsNoDevice(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	_, err := New(Config{Source: "alsa", Device: "default", BitrateKbps: 32}, log, health.NewBoard(log), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "hw:CARD,DEVICE") {
		t.Errorf("New = %v", err)
	}
}

// TestToneBeepsWithTheWallClock decodes what a listener would hear.
func TestToneBeepsWithTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(437 * time.Millisecond) // begin within a second
		r := newRig(t, Config{Source: "tone", BitrateKbps: 32})
		zero := time.Now().Add(-media.Now()) // the wall clock when the capture clock began
		defer r.feed.Want()()
		r.run()
		time.Sleep(4 * time.Second)
		r.stop()
		d, err := decoder.NewDecoderWithOutput(48000, 1)
		if err != nil {
			t.Fatal(err)
		}
		beeps := 0
		for i, packet := range r.data {
			sound := make([]int16, 960)
			if _, err := d.DecodeToInt16(packet, sound); err != nil {
				t.Fatal(err)
			}
			at := zero.Add(r.pts[i]).Nanosecond() / int(time.Millisecond)
			level, purity := audiotest.Level(sound), audiotest.Purity(sound, 1000)
			switch {
			case at >= 20 && at < 80: // all of it within the beep, the encoder's delay included
				beeps++
				if purity < 0.9 || level < 4000 {
					t.Errorf("frame at %d ms: purity %.2f, level %.0f, want the tone", at, purity, level)
				}
			case at >= 200 && level > 100:
				t.Errorf("frame at %d ms has level %.0f, want silence", at, level)
			}
		}
		if beeps != 12 {
			t.Errorf("%d frames with a beep in four seconds, want 12", beeps)
		}
	})
}

func TestPublishingAllocatesNothing(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	m, err := New(DefaultConfig(), log, health.NewBoard(log), media.NewFeed[*media.AudioFrame](), nil)
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := opus.New(32000)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	in := reader{in: endless{}, lost: &m.lost}
	n := testing.AllocsPerRun(200, func() {
		pts, err := in.next(m.frame[:])
		if err != nil {
			t.Fatal(err)
		}
		if err := m.publish(encoder, pts); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

// endless always has samples.
type endless struct{ broken }

func (endless) Read(s []int16) (int, error) { return len(s), nil }
func (endless) Delay() (int, error)         { return 0, nil }
