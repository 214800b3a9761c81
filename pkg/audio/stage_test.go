//go:build cgo

package audio

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// card returns the last one opened.
func (st *stage) card() *audiotest.Speaker {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.opened[len(st.opened)-1]
}

// faultyCard returns a card that takes samples and then fails, once for each place.
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

// sound returns what the room hears of an announcement, sample by sample.
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

// contains returns where whole lies in samples, or -1.
func contains(samples, whole []int16) int {
	for i := 0; i+len(whole) <= len(samples); i++ {
		if slices.Equal(samples[i:i+len(whole)], whole) {
			return i
		}
	}
	return -1
}
