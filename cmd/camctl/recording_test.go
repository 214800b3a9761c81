package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/media/fmp4/fmp4test"
)

var (
	sps, _   = hex.DecodeString("6742c01f4323500a00b6403c2211a8") // 1280x720
	pps, _   = hex.DecodeString("6848e3c8")
	small, _ = hex.DecodeString("6742c00ad9047b011000000300100000030101e0f12264")
	start    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func annexB(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(append(b, 0, 0, 0, 1), n...)
	}
	return b
}

// scene makes frames as a camera sends them: pictures at 15 Hz with an IDR every
// second, sound at 50 Hz. Sound travels for 30 ms and pictures for 130, so by
// arrival they are 100 ms apart.
type scene struct {
	reports time.Duration // from when on Captured is known; negative: never
}

func (s scene) picture(n int) piece {
	at := time.Duration(n) * time.Second / 15
	f := client.Frame{Data: annexB([]byte{0x61, 0x88, byte(n)}), Timestamp: 1000 + int64(n)*videoRate/15, Arrived: start.Add(at + 130*time.Millisecond)}
	if n%15 == 0 {
		f.Key, f.Data = true, annexB(sps, pps, []byte{0x65, 0x88, 0x40, byte(n)})
	}
	return piece{s.known(f, at), false}
}

func (s scene) sound(n int) piece {
	at := time.Duration(n) * 20 * time.Millisecond
	f := client.Frame{Data: []byte{byte(n)}, Timestamp: 77 + int64(n)*960, Arrived: start.Add(at + 30*time.Millisecond)}
	return piece{s.known(f, at), true}
}

func (s scene) known(f client.Frame, at time.Duration) client.Frame {
	if s.reports >= 0 && at >= s.reports {
		f.Captured = start.Add(-time.Hour + at) // the camera's clock is another one
	}
	return f
}

// play feeds the frames of so many seconds, from the picture with number first on,
// in order of arrival, and reads the file.
func play(t *testing.T, r *recording, s scene, first int, seconds float64, sound bool) (video, audio []fmp4test.Sample) {
	t.Helper()
	var file bytes.Buffer
	r.out = &file
	pictures, sounds := first, first*10/3
	for float64(pictures) < float64(first)+15*seconds {
		p := s.picture(pictures)
		if q := s.sound(sounds); sound && q.Arrived.Before(p.Arrived) {
			p, sounds = q, sounds+1
		} else {
			pictures++
		}
		if done, err := r.take(p); err != nil {
			t.Fatal(err)
		} else if done {
			break
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	video, audio, err := fmp4test.Samples(&file)
	if err != nil {
		t.Fatal(err)
	}
	return video, audio
}

// apart is how far picture n and the sound of its moment lie apart in the file.
func apart(t *testing.T, video, audio []fmp4test.Sample, key byte) time.Duration {
	t.Helper()
	for _, v := range video {
		if v.Data[len(v.Data)-1] != key {
			continue
		}
		for _, a := range audio {
			if a.Data[0] == byte(int(key)*10/3) {
				return (v.PTS - a.PTS).Abs()
			}
		}
	}
	t.Fatalf("picture %d or its sound is not in the file (%d, %d samples)", key, len(video), len(audio))
	return 0
}

func TestSenderReportsAlignPictureAndSound(t *testing.T) {
	for _, reports := range []time.Duration{0, time.Second} {
		r := &recording{limit: time.Minute, wantSound: true}
		video, audio := play(t, r, scene{reports}, 0, 4, true)
		if d := apart(t, video, audio, 30); d > time.Millisecond {
			t.Errorf("reports from %v on: %v apart", reports, d)
		}
		if len(video) != 60 || !video[0].Key || len(audio) < 190 {
			t.Errorf("%d pictures, %d packets of sound", len(video), len(audio))
		}
	}
}

func TestArrivalAlignsWithoutReports(t *testing.T) {
	r := &recording{limit: time.Minute, wantSound: true}
	video, audio := play(t, r, scene{-1}, 0, 4, true)
	if d := apart(t, video, audio, 30); d < 99*time.Millisecond || d > 101*time.Millisecond {
		t.Errorf("%v apart, want the 100 ms of the way", d)
	}
}

func TestRecordingBeginsAtAKeyframeAndEndsInTime(t *testing.T) {
	r := &recording{limit: 2 * time.Second}
	video, audio := play(t, r, scene{0}, 7, 10, false)
	if !r.full || len(video) != 30 || len(audio) != 0 || !video[0].Key || video[0].Data[len(video[0].Data)-1] != 15 {
		t.Errorf("full %v, %d pictures, %d packets of sound, first %x", r.full, len(video), len(audio), video[0].Data)
	}
	if got := r.last - r.first; got < 1900*time.Millisecond || got > 2*time.Second {
		t.Errorf("length %v", got)
	}
}

// A camera with rare keyframes begins with what it kept, here of seven seconds: two more
// are what was asked for.
func TestPicturesOfThePastDoNotCount(t *testing.T) {
	for name, reports := range map[string]time.Duration{"reports": 0, "no reports": -1} {
		var file bytes.Buffer
		r := &recording{limit: 2 * time.Second, out: &file}
		s := scene{reports}
		now := s.picture(105).Arrived
		for n := range 200 {
			p := s.picture(n)
			if n < 105 {
				p.Arrived = now
			}
			if n > 0 {
				p.Key = false
			}
			if done, err := r.take(p); err != nil {
				t.Fatalf("%s: %v", name, err)
			} else if done {
				break
			}
		}
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
		if got := r.last - r.first; !r.full || got < 8800*time.Millisecond || got > 9100*time.Millisecond {
			t.Errorf("%s: full %v, %v long; want 7 s of the past and 2 s", name, r.full, got)
		}
	}
}

func TestEarlyEndKeepsWhatWasHeld(t *testing.T) {
	r := &recording{limit: time.Minute, wantSound: true}
	video, audio := play(t, r, scene{-1}, 0, 1, true)
	if len(video) != 15 || len(audio) < 40 {
		t.Errorf("%d pictures, %d packets of sound", len(video), len(audio))
	}
}

func TestMissingSoundIsNotWaitedForLong(t *testing.T) {
	r := &recording{limit: 4 * time.Second, wantSound: true}
	video, audio := play(t, r, scene{0}, 0, 8, false)
	if len(video) != 60 || len(audio) != 0 || !r.full {
		t.Errorf("%d pictures, %d packets of sound, full %v", len(video), len(audio), r.full)
	}
}

func TestChangedPictureEndsTheRecording(t *testing.T) {
	r := &recording{limit: time.Minute, out: &bytes.Buffer{}}
	if _, err := r.take(scene{0}.picture(0)); err != nil {
		t.Fatal(err)
	}
	p := scene{0}.picture(15)
	p.Data = annexB(small, pps, []byte{0x65, 0x88, 1})
	if done, err := r.take(p); !done || err == nil || !strings.Contains(err.Error(), "needs another file") {
		t.Errorf("take = %v, %v", done, err)
	}
}
