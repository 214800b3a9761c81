package capture

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/health"
)

func TestBusyCameraIsTriedAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: func(int) (*fakeStream, error) { return nil, fmt.Errorf("set format: %w", syscall.EBUSY) }}
		b := newBench(t, src)
		b.run(t)
		time.Sleep(time.Minute)
		if s := b.status(); s.State != health.Failed || !strings.Contains(s.Reason, "in use by another program") {
			t.Errorf("health is %+v", s)
		}
		b.end()
		pause := firstPause
		for i := 1; i < len(src.opens); i++ {
			if gap := src.opens[i].Sub(src.opens[i-1]); gap < pause/2 || gap > pause*3/2 {
				t.Errorf("pause %d was %v, want within half of %v", i, gap, pause)
			}
			pause = min(2*pause, maxPause)
		}
		if n := len(src.opens); n < 8 {
			t.Errorf("opened %d times in a minute", n)
		}
	})
}

// garbled is an IDR whose SPS ends too early.
var garbled = picture{data: []byte{0, 0, 1, 0x67, 0x42, 0xc0, 10, 0xff, 0, 0, 1, 0x68, 0xce, 0x0f, 0, 0, 1, 0x65, 0x88, 0x84}}

func TestCameraRecovers(t *testing.T) {
	key := clipUnits()[0]
	for name, c := range map[string]struct {
		first  func() *fakeStream
		reason string
	}{
		"unplugged": {func() *fakeStream {
			s := newFake(whole(key)...)
			s.err = fmt.Errorf("capture: %w", syscall.ENODEV)
			return s
		}, "unplugged"},
		"hung": {func() *fakeStream { return newFake(whole(key)...) }, "no picture for 3s"},
		"hung at a low rate": {func() *fakeStream {
			s := newFake(whole(key)...)
			s.is.rate = 2
			return s
		}, "no picture for 5s"},
		"damaged": {func() *fakeStream { return newFake(slices.Repeat([]picture{{damaged: true}}, 100)...) }, "only damaged"},
		"B-frames": {func() *fakeStream {
			return newFake(picture{data: append(slices.Clone(key.Data), 0, 0, 1, 0x01, 0x9e, 0x41, 0x79)})
		}, "B-frames"},
		"garbled": {func() *fakeStream { return newFake(garbled) }, "only damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &fakeSource{script: func(n int) (*fakeStream, error) {
					if n == 0 {
						return c.first(), nil
					}
					return newFake(whole(slices.Repeat(clipUnits(), 10)...)...), nil
				}}
				b := newBench(t, src)
				b.run(t)
				for b.status().State != health.Failed {
					time.Sleep(10 * time.Millisecond)
				}
				if s := b.status(); !strings.Contains(s.Reason, c.reason) {
					t.Errorf("reason %q, want it to say %q", s.Reason, c.reason)
				}
				time.Sleep(2 * time.Second)
				if s := b.status(); s.State != health.OK || s.Reason != "" {
					t.Errorf("after reopening: %+v", s)
				}
				b.end()
				if len(src.opens) != 2 || src.streams[0].closedAt.IsZero() || src.opens[1].Before(src.streams[0].closedAt) {
					t.Errorf("opened at %v, the first closed at %v", src.opens, src.streams[0].closedAt)
				}
			})
		})
	}
}

func TestCameraCountsAsHungOnlyAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(whole(slices.Repeat(clipUnits(), 3)...)...)
		s.delay = hangTime - time.Millisecond
		src := &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }}
		b := newBench(t, src)
		b.run(t)
		time.Sleep(12 * s.delay)
		synctest.Wait()
		if st := b.status(); st.State != health.OK || len(src.opens) != 1 || len(b.got) != 12 {
			t.Errorf("slow camera: %+v, opened %d times, %d pictures", st, len(src.opens), len(b.got))
		}
		b.end()
	})
}

func TestRunEndsWhileACameraIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }})
		b.run(t)
		synctest.Wait()
		began := time.Now()
		b.end()
		if time.Since(began) != 0 || s.closedAt.IsZero() {
			t.Errorf("ended after %v, closed at %v", time.Since(began), s.closedAt)
		}
	})
}

func TestWishesOutliveAReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: func(n int) (*fakeStream, error) {
			if n == 0 {
				return nil, syscall.ENODEV
			}
			return newFake(whole(clipUnits()...)...), nil
		}}
		b := newBench(t, src)
		b.SetBitrate(300_000)
		b.RequestKeyframe()
		b.run(t)
		time.Sleep(2500 * time.Millisecond)
		b.SetBitrate(0)
		b.end()
		if got := src.streams[0].asked; !slices.Equal(got, []int{300_000, 0}) {
			t.Errorf("the encoder was asked for %v, want the bitrate and one keyframe", got)
		}
	})
}

func TestTargetBitrateStaysWithinBounds(t *testing.T) {
	b := newBench(t, &fakeSource{})
	for ask, want := range map[int]int{0: 1_500_000, 1: minBitrate, 800_000: 800_000, 9_000_000: 1_500_000, -5: 1_500_000} {
		b.SetBitrate(ask)
		if got := b.target(); got != want {
			t.Errorf("SetBitrate(%d) makes %d, want %d", ask, got, want)
		}
	}
}

func TestEveryFaultIsASentence(t *testing.T) {
	for _, err := range []error{
		errBFrames, errNoKey, errResized, h264.ErrNoEncoder, h264.ErrSize, h264.ErrShort, h264.ErrKind, v4l2.ErrUnsupported, v4l2.ErrFormat, v4l2.ErrNoNode, v4l2.ErrPlanes, syscall.EBUSY, syscall.EACCES, syscall.EPERM, syscall.ENODEV,
		syscall.ENOENT, syscall.ENOSPC, syscall.EIO, errors.New("whatever"), &fault{"A sentence.", errHung},
	} {
		s := explain(fmt.Errorf("open /dev/video0: %w", err))
		if !strings.HasSuffix(s, ".") || strings.Contains(s, "/dev/video0") || s[0] < 'A' && s[:4] != "camd" {
			t.Errorf("explain(%v) = %q", err, s)
		}
	}
}
