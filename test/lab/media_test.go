package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/media/avc"
)

// ffmpeg turns a recording into something raw.
func ffmpeg(t *testing.T, path string, args ...string) []byte {
	t.Helper()
	all := append([]string{"-nostdin", "-v", "error", "-i", path}, args...)
	out, err := output(context.Background(), ".", "ffmpeg", append(all, "pipe:")...)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

// nals cuts a stream into the NAL units of its pictures and the different parameter
// sets in it. Access unit delimiters and filler are left out: they say nothing.
func nals(annexB []byte) (units, sets [][]byte) {
	for nal, rest := avc.Next(annexB); nal != nil; nal, rest = avc.Next(rest) {
		switch avc.TypeOf(nal) {
		case avc.AUD, avc.Filler:
		case avc.SPSType, avc.PPSType:
			if !slices.ContainsFunc(sets, func(s []byte) bool { return bytes.Equal(s, nal) }) {
				sets = append(sets, nal)
			}
		default:
			units = append(units, nal)
		}
	}
	return units, sets
}

// checkIdentical checks that a recording holds the NAL units of the looped clip,
// in order and without a gap, from some place on, and gives how many pictures. Only at an
// IDR may it go on elsewhere in the clip, which is how a viewer that fell behind on a busy
// machine goes on. Its parameter sets, which an MP4 file keeps in one place, must be the
// clip's.
func checkIdentical(t *testing.T, clip []byte, path string) (pictures int) {
	t.Helper()
	want, wantSets := nals(clip)
	got, sets := nals(ffmpeg(t, path, "-map", "0:v:0", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264"))
	if !slices.EqualFunc(sets, wantSets, bytes.Equal) {
		t.Errorf("parameter sets %x, want %x", sets, wantSets)
	}
	place := func(nal []byte) int {
		return slices.IndexFunc(want, func(n []byte) bool { return bytes.Equal(n, nal) })
	}
	at, skips := -1, -1 // its beginning is no skip
	for i, nal := range got {
		kind := avc.TypeOf(nal)
		if at < 0 || !bytes.Equal(nal, want[at]) {
			skips++
			if at = place(nal); at < 0 || kind == avc.Slice {
				t.Fatalf("NAL unit %d of %d, type %d with %d bytes, is not what comes next in the clip, nor the beginning of an IDR", i, len(got), kind, len(nal))
			}
		}
		at = (at + 1) % len(want)
		if kind == avc.Slice || kind == avc.IDR {
			pictures++
		}
	}
	t.Logf("%d pictures are identical to what the camera sent; the viewer skipped %d times to an IDR", pictures, skips)
	return pictures
}

// checkTone checks that most tenths of a second of a recording hold a pure tone: an
// emulated sound card may stumble on a busy machine, but not often. The sound of a
// recording begins later than its picture, which begins with the last IDR before
// the viewer came: with the clip up to two seconds.
func checkTone(t *testing.T, path string, hertz float64) {
	t.Helper()
	raw := ffmpeg(t, path, "-map", "0:a:0", "-f", "s16le", "-ac", "1", "-ar", "48000")
	samples := make([]int16, len(raw)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	pure, all := 0, 0
	for part := range slices.Chunk(samples, 4800) {
		if audiotest.Purity(part, hertz) > 0.9 && audiotest.Level(part) > 1000 {
			pure++
		}
		all++
	}
	t.Logf("sound: %.1f s, tone in %d of %d tenths of a second", float64(len(samples))/48000, pure, all)
	if all < 15 || pure*10 < all*8 {
		t.Errorf("the tone is in %d of %d tenths of a second", pure, all)
	}
}

// checkPicture decodes a recording and checks that it has the size, moves, and is
// not blank. It gives the number of pictures.
func checkPicture(t *testing.T, path string, width, height int) int {
	t.Helper()
	raw := ffmpeg(t, path, "-map", "0:v:0", "-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough")
	size := width * height
	if len(raw) == 0 || len(raw)%size != 0 {
		t.Fatalf("%d bytes are no whole pictures of %dx%d", len(raw), width, height)
	}
	pictures := slices.Collect(slices.Chunk(raw, size))
	moving := 0
	for i, p := range pictures {
		if slices.Max(p)-slices.Min(p) < 100 {
			t.Errorf("picture %d is blank: from %d to %d", i, slices.Min(p), slices.Max(p))
		}
		if i > 0 && !bytes.Equal(p, pictures[i-1]) {
			moving++
		}
	}
	t.Logf("picture: %d of %dx%d, %d differ from the one before", len(pictures), width, height, moving)
	if moving < len(pictures)/2 {
		t.Errorf("%d of %d pictures differ from the one before: the picture stands still", moving, len(pictures))
	}
	return len(pictures)
}

// lastPicture gives the brightness of a recording's last picture, of so many pixels.
func lastPicture(t *testing.T, path string, size int) []byte {
	t.Helper()
	raw := ffmpeg(t, path, "-map", "0:v:0", "-f", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough")
	if len(raw) < size || len(raw)%size != 0 {
		t.Fatalf("%d bytes are no whole pictures of %d pixels", len(raw), size)
	}
	return raw[len(raw)-size:]
}
