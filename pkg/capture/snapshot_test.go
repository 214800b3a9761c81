package capture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/media/fmp4/fmp4test"
	"github.com/camd-project/camd/pkg/proto"
)

// plain returns a picture of one colour in video's range.
func plain(w, h int, c [3]byte) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	paint(m.Y, c[0])
	paint(m.Cb, c[1])
	paint(m.Cr, c[2])
	return m
}

func decodeJPEG(t *testing.T, data []byte, w, h int) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, w, h) {
		t.Fatalf("the picture is of %v, want %dx%d", m.Bounds(), w, h)
	}
	return m
}

func near(a, b color.RGBA) bool {
	d := func(x, y uint8) bool { return x-y < 7 || y-x < 7 }
	return d(a.R, b.R) && d(a.G, b.G) && d(a.B, b.B)
}

func rgba(m image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)
}

// Bars of 75 % in BT.601, and both ends of the range.
func TestStillHasTheColoursOfVideo(t *testing.T) {
	for c, want := range map[[3]byte]color.RGBA{
		{180, 128, 128}: {191, 191, 191, 255}, {162, 44, 142}: {191, 191, 0, 255}, {84, 184, 198}: {191, 0, 191, 255},
		{65, 100, 212}: {191, 0, 0, 255}, {35, 212, 114}: {0, 0, 191, 255},
		{16, 128, 128}: {0, 0, 0, 255}, {235, 128, 128}: {255, 255, 255, 255},
	} {
		data, err := still(plain(64, 48, c))
		if err != nil {
			t.Fatal(err)
		}
		if got := rgba(decodeJPEG(t, data, 64, 48), 31, 17); !near(got, want) {
			t.Errorf("%v is shown as %v, want %v", c, got, want)
		}
	}
}

func TestStillIsBounded(t *testing.T) {
	m := plain(1280, 720, [3]byte{128, 128, 128})
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // noise
	for i := range m.Y {
		m.Y[i] = byte(r.Uint32())
	}
	data, err := still(m)
	if err != nil || len(data) > maxStill || len(data) < maxStill/8 {
		t.Fatalf("%d bytes, %v; want at most %d", len(data), err, maxStill)
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil || cfg.Width != 640 || cfg.Height != 360 {
		t.Errorf("noise of 1280x720 became %dx%d, %v; want half of it", cfg.Width, cfg.Height, err)
	}
}

func TestCopyPictureTakesOnlyWhatIsShown(t *testing.T) {
	m := plain(80, 48, [3]byte{16, 128, 128})
	view := m.SubImage(image.Rect(0, 0, 64, 48)).(*image.YCbCr)
	view.Y[65], view.Y[63] = 99, 200 // beyond the line, and its end
	got := copyPicture(view)
	if got.Rect != image.Rect(0, 0, 64, 48) || got.Y[63] != 200 || got.Y[64] != 16 || len(got.Y) != 64*48 {
		t.Errorf("%v, %v", got.Rect, got.Y[60:70])
	}
	got.Y[0] = 77
	if m.Y[0] != 16 {
		t.Error("the copy is none")
	}
}

// refused returns the code of an error.
func refused(err error) proto.Code {
	var r *proto.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func TestPictureOfACameraThatGivesH264(t *testing.T) {
	for name, forces := range map[string]bool{"the last IDR": false, "an IDR on request": true} {
		t.Run(name, func(t *testing.T) {
			var data []byte
			synctest.Test(t, func(t *testing.T) {
				src := &fakeSource{script: func(n int) (*fakeStream, error) {
					s, err := endless(n)
					s.is.forceIDR = forces
					return s, err
				}}
				b := newBench(t, src)
				b.run(t)
				time.Sleep(350 * time.Millisecond) // between an IDR and a frame that is none
				var kind string
				var err error
				if data, kind, err = b.Picture(t.Context()); err != nil || kind != proto.PictureMP4 {
					t.Error(kind, err)
				}
				b.end()
				if asked := len(src.streams[0].asked) > 0; asked != forces {
					t.Errorf("a keyframe was asked for: %v", asked)
				}
			})
			video, _, err := fmp4test.Samples(bytes.NewReader(data))
			if err != nil || len(video) != 1 || !video[0].Key {
				t.Fatalf("%d pictures, %v", len(video), err)
			}
			playable(t, data, 64, 48)
		})
	}
}

// playable has ffmpeg decode it without a complaint.
func playable(t *testing.T, data []byte, w, h int) {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed (apt-get install ffmpeg): nothing else here reads MP4")
	}
	path := filepath.Join(t.TempDir(), "picture.mp4")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-hide_banner", "-v", "warning", "-xerror", "-i", path, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 || out.Len() != w*h*3/2 {
		t.Errorf("ffmpeg decodes %d bytes, %v: %s", out.Len(), err, &complaints)
	}
}

func TestNoPictureInPrivacyMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeSource{script: endless})
		b.SetPrivacy(true)
		b.run(t)
		defer b.end()
		if _, _, err := b.Picture(t.Context()); refused(err) != proto.CodePrivacy {
			t.Errorf("Picture() = %v", err)
		}
		b.SetPrivacy(false)
		time.Sleep(time.Second)
		if _, _, err := b.Picture(t.Context()); err != nil {
			t.Errorf("after privacy mode: %v", err)
		}
	})
}

func TestPrivacyModeEndsTheWaitForAPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return newFake(), nil }}) // a camera that sends nothing
		b.run(t)
		defer b.end()
		got := make(chan error)
		go func() {
			_, _, err := b.Picture(t.Context())
			got <- err
		}()
		time.Sleep(time.Second)
		b.SetPrivacy(true)
		if err := <-got; refused(err) != proto.CodePrivacy {
			t.Errorf("Picture() = %v", err)
		}
	})
}

// However many gave up, the first who asks when the camera is back gets its picture.
func TestPictureOfACameraThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		src := &fakeSource{script: func(n int) (*fakeStream, error) {
			select {
			case <-back:
				return endless(n)
			default:
				return nil, errNoCamera
			}
		}}
		b := newBench(t, src)
		b.run(t)
		defer b.end()
		began := time.Now()
		if _, _, err := b.Picture(t.Context()); refused(err) != proto.CodeNoMedia || time.Since(began) > snapshotPatience {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for range 3 * snapshotQueue {
			if _, _, err := b.Picture(t.Context()); refused(err) != proto.CodeNoMedia {
				t.Errorf("Picture() = %v", err)
			}
		}
		close(back)
		time.Sleep(time.Minute)
		if _, _, err := b.Picture(t.Context()); err != nil {
			t.Errorf("with the camera back: %v", err)
		}
	})
}

func TestTheEndOfTheRightEndsTheWaitForAPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return newFake(), nil }})
		b.run(t)
		defer b.end()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(proto.Refuse(proto.CodeRevoked)) })
		if _, _, err := b.Picture(ctx); refused(err) != proto.CodeRevoked {
			t.Errorf("Picture() = %v", err)
		}
	})
}
