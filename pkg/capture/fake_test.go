package capture

import (
	"context"
	_ "embed"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// Four pictures of 64x48 by x264: delimiters, two slices each, parameter sets
// before the first and the third.
//
//go:embed testdata/slices.h264
var clipData []byte

// clipUnits cuts the clip into its access units.
func clipUnits() (l []avc.Unit) {
	for u, rest := avc.NextUnit(clipData); u.Data != nil; u, rest = avc.NextUnit(rest) {
		l = append(l, u)
	}
	return l
}

// fakeSource stands for a camera with faults that no real one has on demand.
type fakeSource struct {
	opens   []time.Time
	streams []*fakeStream
	script  func(n int) (*fakeStream, error) // what the n-th opening gives
}

func (f *fakeSource) open() (stream, error) {
	f.opens = append(f.opens, time.Now())
	s, err := f.script(len(f.opens) - 1)
	if err != nil {
		return nil, err
	}
	f.streams = append(f.streams, s)
	return s, nil
}

// fakeStream gives pictures at 10 Hz, then err, or nothing if that is nil.
type fakeStream struct {
	is       shape
	pictures []picture
	err      error
	delay    time.Duration
	slow     int // the picture from which on the delay is 15 s, 0: none

	stop     chan struct{}
	at       int
	closedAt time.Time
	asked    []int // bitrates, 0 for a keyframe
}

func newFake(pictures ...picture) *fakeStream {
	return &fakeStream{is: shape{coded: true, rate: 10, forceIDR: true}, pictures: pictures, stop: make(chan struct{}, 8), delay: 100 * time.Millisecond}
}

func (s *fakeStream) shape() shape { return s.is }

func (s *fakeStream) grab() (picture, error) {
	if s.at == len(s.pictures) && s.err != nil {
		return picture{}, s.err
	}
	if s.slow > 0 && s.at == s.slow {
		s.delay = 15 * time.Second
	}
	wait := time.After(s.delay)
	if s.at == len(s.pictures) {
		wait = nil
	}
	select {
	case <-s.stop:
		return picture{}, errInterrupted
	case <-wait:
	}
	p := s.pictures[s.at]
	p.pts = time.Duration(s.at+1) * s.delay
	s.at++
	return p, nil
}

func (s *fakeStream) interrupt()               { s.stop <- struct{}{} }
func (s *fakeStream) close() error             { s.closedAt = time.Now(); return nil }
func (s *fakeStream) forceKeyframe() error     { s.asked = append(s.asked, 0); return nil }
func (s *fakeStream) setBitrate(bps int) error { s.asked = append(s.asked, bps); return nil }

// whole makes a picture of each access unit.
func whole(units ...avc.Unit) (l []picture) {
	for _, u := range units {
		l = append(l, picture{data: u.Data})
	}
	return l
}

// published is a copy of an access unit.
type published struct {
	Data []byte
	PTS  time.Duration
	Key  bool

	Gradual bool
}

// bench is a camera on a fake source.
type bench struct {
	*Camera
	board *health.Board
	got   []published
	end   func()
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Source, cfg.Width, cfg.Height, cfg.Rate = SourceSynthetic, 64, 48, 10
	return cfg
}

func newBench(t *testing.T, src source) *bench {
	t.Helper()
	b := &bench{board: health.NewBoard(slog.New(slog.DiscardHandler))}
	feed := media.NewFeed[*media.AccessUnit]()
	feed.Subscribe(func(u *media.AccessUnit) {
		b.got = append(b.got, published{slices.Clone(u.Data), u.PTS, u.Key, u.Gradual})
	})
	var err error
	if b.Camera, err = New(testConfig(), slog.New(slog.DiscardHandler), b.board, feed); err != nil {
		t.Fatal(err)
	}
	b.source = src
	return b
}

// run starts the camera; end stops it and waits.
func (b *bench) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, func() {}) }()
	b.end = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	}
}

func (b *bench) status() health.Status { return b.board.Snapshot()[0] }
