package fmp4

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/media/fmp4/fmp4test"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	sps  = unhex("6742c00ad9047b011000000300100000030101e0f12264")
	sps2 = unhex("6742c01f4323500a00b6403c2211a8") // of another size
	pps  = unhex("68cb804d2c")
	pps2 = unhex("68cb804d2d")
	high = unhex("6764001facd9405005bb011000000300100000030320f1831960")
	aud  = []byte{9, 0xf0}
	fill = []byte{12, 0xff, 0x80}
	sei  = []byte{6, 5, 1, 0x11, 0x80}
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// unit joins NAL units in Annex B form.
func unit(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(append(b, avc.StartCode[:]...), n...)
	}
	return b
}

// idr and slice are NAL units that can be told apart, and of any size.
func idr(n byte, size int) []byte {
	return append([]byte{0x65, 0x88, n}, bytes.Repeat([]byte{7}, size)...)
}
func slice(n byte, size int) []byte {
	return append([]byte{0x41, 0x9a, n}, bytes.Repeat([]byte{7}, size)...)
}

func both() Tracks {
	return Tracks{Video: &VideoTrack{sps, [][]byte{pps}, 1280, 720}, Audio: &AudioTrack{1, 312}}
}

// file is what a test writes, and what is read back from it.
type file struct {
	*Writer
	t   *testing.T
	out bytes.Buffer
}

func newFile(t *testing.T, tracks Tracks) *file {
	t.Helper()
	f := &file{t: t}
	w, err := NewWriter(&f.out, tracks)
	if err != nil {
		t.Fatal(err)
	}
	f.Writer = w
	return f
}

func (f *file) picture(at time.Duration, key bool, nals ...[]byte) {
	f.t.Helper()
	if err := f.WriteVideo(unit(nals...), at, key); err != nil {
		f.t.Fatal(err)
	}
}

func (f *file) sound(at time.Duration, packet string) {
	f.t.Helper()
	if err := f.WriteAudio([]byte(packet), at); err != nil {
		f.t.Fatal(err)
	}
}

func (f *file) close() (video, audio []fmp4test.Sample) {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Fatal(err)
	}
	video, audio, err := fmp4test.Samples(bytes.NewReader(f.out.Bytes()))
	if err != nil {
		f.t.Fatal(err)
	}
	return video, audio
}

const ms = time.Millisecond

func TestHeaderIsGolden(t *testing.T) {
	for name, tracks := range map[string]Tracks{
		"both":  both(),
		"audio": {Audio: &AudioTrack{2, 312}},
		"high":  {Video: &VideoTrack{high, [][]byte{pps}, 1920, 1080}},
	} {
		path := "testdata/init-" + name + ".hex"
		got := hex.Dump(newFile(t, tracks).out.Bytes())
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the header is\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestNALUnitsStayAsTheyCame(t *testing.T) {
	f := newFile(t, both())
	f.picture(0, true, aud, sps, pps, sei, idr(1, 100), idr(2, 0), fill)
	f.picture(33*ms, false, slice(3, 3000))
	f.picture(66*ms, false, pps, slice(4, 10)) // the header's
	f.picture(99*ms, false, pps2, slice(5, 10))
	f.picture(132*ms, false, pps, slice(6, 10)) // must not be left out any more
	f.picture(150*ms, false, aud, fill)         // nothing
	video, _ := f.close()
	want := [][][]byte{
		{sei, idr(1, 100), idr(2, 0)}, {slice(3, 3000)}, {slice(4, 10)}, {pps2, slice(5, 10)}, {pps, slice(6, 10)},
	}
	if len(video) != len(want) {
		t.Fatalf("%d samples, want %d", len(video), len(want))
	}
	for i, s := range video {
		nals, err := fmp4test.NALs(s.Data)
		if err != nil || !slices.EqualFunc(nals, want[i], bytes.Equal) {
			t.Errorf("sample %d is %x, %v, want %x", i, nals, err, want[i])
		}
		if s.Key != (i == 0) {
			t.Errorf("sample %d: key is %v", i, s.Key)
		}
	}
}

func TestTimesComeFromPTS(t *testing.T) {
	const base = 1000 * time.Hour // the capture clock begins anywhere
	f := newFile(t, both())
	f.sound(base-20*ms, "before the picture")
	f.picture(base-10*ms, false, slice(0, 1)) // before the first keyframe
	f.picture(base, true, sps, pps, idr(1, 1))
	f.sound(base-5*ms, "before zero")
	f.sound(base+15*ms, "first")
	f.picture(base+40*ms, false, slice(1, 1))
	f.sound(base+35*ms, "second")
	f.picture(base+100*ms, false, slice(2, 1))
	f.sound(base+555*ms, "after a gap")
	f.picture(base+200*ms, true, idr(2, 1))
	f.picture(base+200*ms, false, slice(3, 1)) // no time between them
	f.picture(base+240*ms, false, slice(4, 1))
	video, audio := f.close()
	for _, c := range []struct {
		name      string
		got       []fmp4test.Sample
		pts, long []time.Duration
	}{
		{"video", video, []time.Duration{0, 40 * ms, 100 * ms, 200 * ms, 200*ms + 11111, 240 * ms},
			[]time.Duration{40 * ms, 60 * ms, 100 * ms, 11111, 40*ms - 11111, 40*ms - 11111}},
		{"audio", audio, []time.Duration{15 * ms, 35 * ms, 555 * ms}, []time.Duration{20 * ms, 520 * ms, 520 * ms}},
	} {
		if len(c.got) != len(c.pts) {
			t.Fatalf("%s has %d samples, want %d", c.name, len(c.got), len(c.pts))
		}
		for i, s := range c.got {
			if (s.PTS-c.pts[i]).Abs() > 1000 || (s.Duration-c.long[i]).Abs() > 1000 {
				t.Errorf("%s sample %d: at %v for %v, want %v for %v", c.name, i, s.PTS, s.Duration, c.pts[i], c.long[i])
			}
		}
	}
	if string(audio[0].Data) != "first" || string(audio[2].Data) != "after a gap" {
		t.Errorf("audio holds %q … %q", audio[0].Data, audio[2].Data)
	}
}

// TestTimesDontDrift: 30000/1001 pictures a second are no whole number of units.
func TestTimesDontDrift(t *testing.T) {
	f := newFile(t, both())
	pts := func(i int) time.Duration { return time.Duration(i) * 1001 * time.Second / 30000 }
	for i := range 5000 {
		f.picture(pts(i), i%60 == 0, slice(byte(i), 1))
	}
	video, _ := f.close()
	for i, s := range video {
		if d := (s.PTS - pts(i)).Abs(); d > 6*time.Microsecond {
			t.Fatalf("sample %d is %v off", i, d)
		}
	}
}

func TestFragmentsBeginAtKeyframesAndAreBounded(t *testing.T) {
	f := newFile(t, both())
	for i := range 300 { // 20 s at 15 Hz, a keyframe each 2 s, then none for 10 s
		f.picture(time.Duration(i)*time.Second/15, i%30 == 0 && i < 150, slice(byte(i), 10))
	}
	for i := range 20 { // large ones
		f.picture(20*time.Second+time.Duration(i)*10*ms, false, slice(byte(i), 1<<20))
	}
	video, _ := f.close()
	var begin time.Duration
	size, fragments := 0, 0
	for i, s := range video {
		if s.Key && !s.First {
			t.Errorf("sample %d is a keyframe within a fragment", i)
		}
		if s.First {
			begin, size = s.PTS, 0
			fragments++
		}
		size += len(s.Data)
		if s.PTS-begin > fragmentTime+100*ms || size > fragmentBytes+2<<20 {
			t.Errorf("sample %d: its fragment holds %v and %d bytes", i, s.PTS-begin, size)
		}
	}
	if len(video) != 320 || fragments < 5+2+4 {
		t.Errorf("%d samples in %d fragments", len(video), fragments)
	}
}

func TestAudioAlone(t *testing.T) {
	f := newFile(t, Tracks{Audio: &AudioTrack{1, 312}})
	for i := range 1000 {
		f.sound(time.Hour+time.Duration(i)*20*ms, "packet")
	}
	video, audio := f.close()
	if len(video) != 0 || len(audio) != 1000 || audio[999].PTS != 999*20*ms || audio[999].Duration != 20*ms {
		t.Errorf("%d video, %d audio, last %+v", len(video), len(audio), audio[len(audio)-1])
	}
}

// Some encoders give their parameter sets another id with every IDR.
func TestParameterSetsOfTheSameFormatStayIn(t *testing.T) {
	spsA, ppsA := unhex("6742c01f4323500a00b6403c2211a8"), unhex("6848e3c8")
	spsB, ppsB := unhex("6742c01f6323500a00b6403c2211a8"), unhex("686ce3c8")
	f := newFile(t, Tracks{Video: &VideoTrack{SPS: spsA, PPS: [][]byte{ppsA}, Width: 1280, Height: 720}})
	f.picture(0, true, spsA, ppsA, idr(1, 10))
	f.picture(40*ms, true, spsB, ppsB, idr(2, 10))
	f.picture(80*ms, true, spsA, ppsA, idr(3, 10)) // must not be left out any more
	video, _ := f.close()
	want := [][][]byte{{idr(1, 10)}, {spsB, ppsB, idr(2, 10)}, {spsA, ppsA, idr(3, 10)}}
	if len(video) != len(want) {
		t.Fatalf("%d samples, want %d", len(video), len(want))
	}
	for i, s := range video {
		if nals, err := fmp4test.NALs(s.Data); err != nil || !slices.EqualFunc(nals, want[i], bytes.Equal) {
			t.Errorf("sample %d is %x, %v, want %x", i, nals, err, want[i])
		}
	}
}

// A camera may have a PPS for its IDRs and another for what follows.
func TestHeaderHoldsSeveralPPS(t *testing.T) {
	second := unhex("684ce3c8")
	f := newFile(t, Tracks{Video: &VideoTrack{SPS: sps, PPS: [][]byte{pps, second}, Width: 1280, Height: 720}})
	f.picture(0, true, sps, pps, second, idr(1, 10))
	video, _ := f.close()
	if nals, err := fmp4test.NALs(video[0].Data); err != nil || len(nals) != 1 {
		t.Errorf("the sample holds %x, %v, want the slice alone", nals, err)
	}
	want := slices.Concat([]byte{2, 0, byte(len(pps))}, pps, []byte{0, byte(len(second))}, second)
	if !bytes.Contains(f.out.Bytes(), want) {
		t.Errorf("the header does not hold %x", want)
	}
}

func TestAnotherSPSEndsTheFile(t *testing.T) {
	f := newFile(t, both())
	f.picture(0, true, sps, pps, idr(1, 1))
	err := f.WriteVideo(unit(aud, sei, sps2, pps, idr(2, 1)), 40*ms, true)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("another SPS: %v, want ErrChanged", err)
	}
	if video, _ := f.close(); len(video) != 1 || bytes.Contains(f.out.Bytes(), sei) {
		t.Errorf("the file holds %d samples, or a part of the refused one", len(video))
	}
}

func TestWrongTracksAreRefused(t *testing.T) {
	for name, tracks := range map[string]Tracks{
		"a track":        {},
		"an SPS":         {Video: &VideoTrack{pps, [][]byte{pps}, 640, 480}},
		"a PPS":          {Video: &VideoTrack{sps, nil, 640, 480}},
		"needs a PPS":    {Video: &VideoTrack{sps, [][]byte{pps, sps}, 640, 480}},
		"0x480":          {Video: &VideoTrack{sps, [][]byte{pps}, 0, 480}},
		"profile 122":    {Video: &VideoTrack{unhex("677a001f"), [][]byte{pps}, 640, 480}},
		"6 audio":        {Audio: &AudioTrack{6, 312}},
		"pre-skip of -1": {Audio: &AudioTrack{1, -1}},
	} {
		var out bytes.Buffer
		if _, err := NewWriter(&out, tracks); err == nil || !strings.Contains(err.Error(), name) || out.Len() > 0 {
			t.Errorf("NewWriter = %v after %d bytes, want %q", err, out.Len(), name)
		}
	}
	f := newFile(t, Tracks{Audio: &AudioTrack{1, 312}})
	if err := f.WriteVideo(unit(idr(1, 1)), 0, true); err == nil {
		t.Error("video was taken by a file without video")
	}
	f = newFile(t, Tracks{Video: both().Video})
	if err := f.WriteAudio([]byte("x"), 0); err == nil {
		t.Error("audio was taken by a file without audio")
	}
}

// broken is a full disk.
type broken struct{ room int }

func (b *broken) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, os.ErrClosed
	}
	return len(p), nil
}

func TestFullDiskIsReported(t *testing.T) {
	if _, err := NewWriter(&broken{}, both()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("NewWriter = %v", err)
	}
	w, err := NewWriter(&broken{room: len(header(both()))}, both())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteVideo(unit(idr(1, 1)), 0, true); err != nil {
		t.Errorf("nothing to write yet: %v", err)
	}
	if err := w.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Close = %v", err)
	}
}

// FuzzWriteVideo: whatever comes from a camera, what is written can be read.
func FuzzWriteVideo(f *testing.F) {
	f.Add(unit(sps, pps, idr(1, 3)), int64(40*ms), unit(slice(2, 3)), true)
	f.Add(unit(aud), int64(-1), []byte{0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, a []byte, at int64, b []byte, key bool) {
		file := newFile(t, both())
		_ = file.WriteVideo(a, 0, true)
		_ = file.WriteVideo(b, time.Duration(at), key)
		_ = file.WriteVideo(a, time.Duration(at)/2, false)
		file.close()
	})
}
