// Package capturetest holds what a camera must keep to, whatever its source: the
// same tests run on made-up sources anywhere and on real V4L2 devices in the
// laboratory. It also records and decodes what a camera publishes. It is for tests
// only; everything it starts ends with the test.
package capturetest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"log/slog"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

// Patience is how long a test waits for what must come; it measures nothing.
const Patience = 30 * time.Second

// Unit is a copy of a published access unit.
type Unit struct {
	Data []byte
	PTS  time.Duration
	Key  bool
}

// Rig is a running camera with all it needs.
type Rig struct {
	*capture.Camera
	Feed  *media.Feed[*media.AccessUnit]
	Board *health.Board

	t     testing.TB
	units chan Unit
}

// Start runs a camera until the test ends or stop is called; stop returns when Run has.
func Start(t testing.TB, cfg capture.Config) (r *Rig, stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(logWriter{t}, nil))
	r = &Rig{Feed: media.NewFeed[*media.AccessUnit](), Board: health.NewBoard(log), t: t, units: make(chan Unit, 1024)}
	var err error
	if r.Camera, err = capture.New(cfg, log, r.Board, r.Feed); err != nil {
		t.Fatal(err)
	}
	unsubscribe := r.Feed.Subscribe(r.take)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() {}) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v after its context ended, want nil", err)
		}
		unsubscribe()
	})
	t.Cleanup(stop)
	return r, stop
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

func (r *Rig) take(u *media.AccessUnit) {
	select {
	case r.units <- Unit{bytes.Clone(u.Data), u.PTS, u.Key}:
	default: // nobody reads any more
	}
}

// Next waits for the next access unit.
func (r *Rig) Next() Unit {
	r.t.Helper()
	select {
	case u := <-r.units:
		return u
	case <-time.After(Patience):
		r.t.Fatalf("no picture in %v; health: %+v", Patience, r.Board.Snapshot())
		return Unit{}
	}
}

// Record waits for n access units.
func (r *Rig) Record(n int) []Unit {
	r.t.Helper()
	l := make([]Unit, n)
	for i := range l {
		l[i] = r.Next()
	}
	return l
}

// Eventually waits until ok is true.
func (r *Rig) Eventually(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not in %v; health: %+v", what, Patience, r.Board.Snapshot())
		}
	}
}

// Contract checks what holds for every source.
func Contract(t *testing.T, cfg capture.Config) {
	r, stop := Start(t, cfg)
	r.Eventually("a known format", func() bool { _, ok := r.Format(); return ok })
	release := r.Feed.Want()
	units := r.Record(3 * cfg.Rate)
	format, _ := r.Format()
	t.Logf("format %+v, health %+v", format, r.Board.Snapshot())
	CheckUnits(t, units, format)
	if format.CanForceIDR {
		t.Run("keyframe on demand", func(t *testing.T) { checkKeyframe(t, r, cfg) })
	}
	if s := r.Board.Snapshot()[0].State; s != health.OK && s != health.Degraded {
		t.Errorf("health is %s while pictures come", s)
	}
	release()
	stop()
}

// CheckUnits checks a recording from its beginning: the first is a keyframe,
// keyframes carry their parameter sets, nothing holds B-frames, time rises.
func CheckUnits(t testing.TB, units []Unit, format media.VideoFormat) {
	t.Helper()
	if !units[0].Key {
		t.Error("the first access unit is no keyframe")
	}
	for i, u := range units {
		a, rest := avc.NextUnit(u.Data)
		if len(a.Data) != len(u.Data) || rest != nil || !a.Coded || a.B || a.Key != u.Key {
			t.Fatalf("access unit %d: %d bytes, %d in the first unit, coded %v, B %v, IDR %v, Key %v", i, len(u.Data), len(a.Data), a.Coded, a.B, a.Key, u.Key)
		}
		if i > 0 && u.PTS <= units[i-1].PTS {
			t.Errorf("access unit %d is stamped %v, the one before %v", i, u.PTS, units[i-1].PTS)
		}
		if u.Key {
			checkHeaders(t, a, format)
		}
	}
}

func checkHeaders(t testing.TB, a avc.Unit, format media.VideoFormat) {
	t.Helper()
	s, err := avc.ParseSPS(avc.SetsIn(a.Data).SPS(a.Data))
	if err != nil {
		t.Fatalf("keyframe without parameter sets: %v", err)
	}
	if s.Width != format.Width || s.Height != format.Height || s.ProfileLevelID != format.ProfileLevelID {
		t.Errorf("SPS %+v, Format() %+v", s, format)
	}
}

// checkKeyframe asks for an IDR just after one, when none is due.
func checkKeyframe(t *testing.T, r *Rig, cfg capture.Config) {
	for !r.Next().Key {
	}
	r.RequestKeyframe()
	for range max(cfg.KeyframeSeconds*cfg.Rate-1, 2) {
		if r.Next().Key {
			return
		}
	}
	t.Error("no keyframe before the next one is due")
}

// Decode decodes a recording with ffmpeg. The test is skipped where there is none.
func Decode(t testing.TB, units []Unit, format media.VideoFormat) []*image.YCbCr {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg to decode H.264: ", err)
	}
	var in, out, problems bytes.Buffer
	for _, u := range units {
		in.Write(u.Data)
	}
	cmd := exec.Command(ffmpeg, "-v", "error", "-f", "h264", "-i", "pipe:", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "pipe:") //nolint:gosec // a program from PATH
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &problems
	if err := cmd.Run(); err != nil || problems.Len() > 0 {
		t.Fatalf("ffmpeg: %v: %s", err, &problems)
	}
	l, err := pictures(out.Bytes(), format.Width, format.Height)
	if err != nil || len(l) != len(units) {
		t.Fatalf("%d pictures out of %d access units: %v", len(l), len(units), err)
	}
	return l
}

func pictures(b []byte, w, h int) (l []*image.YCbCr, err error) {
	luma, chroma := w*h, w*h/4
	if len(b)%(luma+2*chroma) != 0 {
		return nil, fmt.Errorf("%d bytes are no whole pictures of %dx%d", len(b), w, h)
	}
	for ; len(b) > 0; b = b[luma+2*chroma:] {
		l = append(l, &image.YCbCr{
			Y: b[:luma], Cb: b[luma:][:chroma], Cr: b[luma+chroma:][:chroma], YStride: w, CStride: w / 2,
			SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, w, h),
		})
	}
	return l, nil
}

// Drain waits until no more access units come, and forgets those that did.
func (r *Rig) Drain() {
	r.t.Helper()
	for range 1000 {
		select {
		case <-r.units:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
	r.t.Fatal("access units come without end")
}
