package fmp4test

import (
	"bytes"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media/fmp4"
)

func sample(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := fmp4.NewWriter(&out, fmp4.Tracks{
		Video: &fmp4.VideoTrack{SPS: []byte{0x67, 66, 0, 30}, PPS: [][]byte{{0x68, 1}}, Width: 16, Height: 16},
		Audio: &fmp4.AudioTrack{Channels: 1, PreSkip: 312},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		at := time.Duration(i) * 20 * time.Millisecond
		if err := w.WriteVideo([]byte{0, 0, 1, 0x65, byte(i + 1)}, at, i%2 == 0); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteAudio([]byte{byte(i)}, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCutFilesAreErrors(t *testing.T) {
	whole := sample(t)
	video, audio, err := Samples(bytes.NewReader(whole))
	if err != nil || len(video) != 4 || len(audio) != 4 {
		t.Fatalf("%d video, %d audio, %v", len(video), len(audio), err)
	}
	failed := 0
	for n := range whole {
		if _, _, err := Samples(bytes.NewReader(whole[:n])); err != nil {
			failed++
		}
	}
	if failed < len(whole)-10 { // whole boxes are whole files
		t.Errorf("%d of %d cut files are errors", failed, len(whole))
	}
	if _, err := NALs([]byte{0, 0, 0, 9, 1}); err == nil {
		t.Error("a NAL unit longer than its sample was read")
	}
}

func FuzzSamples(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, file []byte) {
		video, audio, err := Samples(bytes.NewReader(file))
		total := 0
		for _, s := range append(video, audio...) {
			total += len(s.Data)
			_, _ = NALs(s.Data)
		}
		if err != nil && total > 0 {
			t.Errorf("%d bytes beside the error %v", total, err)
		}
	})
}
