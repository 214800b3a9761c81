package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"github.com/camd-project/camd/pkg/audio/opus"
)

// oggFile makes a file of so many packets, of 20 ms each by frame20.
func oggFile(t *testing.T, n int, first byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "voice.ogg")
	w, err := oggwriter.New(path, 48000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.WriteRTP(&rtp.Packet{Header: rtp.Header{Timestamp: 960 * uint32(i)}, Payload: []byte{first, byte(i + 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const frame20 = 31 << 3 // CELT, fullband, one frame of 20 ms

// fakeTalk keeps what is written, and when.
type fakeTalk struct {
	began   time.Time
	packets []string
	at      []time.Duration
	done    chan struct{}
	err     error
	after   int // so many packets the camera ends it; 0: never
}

func newFakeTalk() *fakeTalk { return &fakeTalk{began: time.Now(), done: make(chan struct{})} }

func (f *fakeTalk) Write(p []byte, _ int) error {
	f.packets = append(f.packets, string(p))
	f.at = append(f.at, time.Since(f.began))
	if len(f.packets) == f.after {
		close(f.done)
	}
	return nil
}
func (f *fakeTalk) Done() <-chan struct{} { return f.done }
func (f *fakeTalk) Err() error            { return f.err }

func opened(t *testing.T, path string) sound {
	t.Helper()
	s, err := openSoundFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAFileIsSentAtItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newFakeTalk()
		sent, err := speak(t.Context(), to, opened(t, oggFile(t, 3, frame20)))
		if err != nil || sent != 60*time.Millisecond {
			t.Errorf("sent %v, %v", sent, err)
		}
		if want := []string{"\xf8\x01", "\xf8\x02", "\xf8\x03"}; !slices.Equal(to.packets, want) {
			t.Errorf("sent %q, want %q", to.packets, want)
		}
		if want := []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond}; !slices.Equal(to.at, want) {
			t.Errorf("sent at %v, want %v", to.at, want)
		}
		if got := time.Since(to.began); got != 60*time.Millisecond+talkTail {
			t.Errorf("ended after %v: the camera has not played the rest", got)
		}
	})
}

func TestSpeakingEnds(t *testing.T) {
	ended := errors.New("ended at the camera")
	for name, c := range map[string]struct {
		after int
		err   error
		want  int
	}{
		"by the camera":    {after: 2, err: ended, want: 2},
		"by an interrupt":  {want: 3},
		"in good order":    {after: 2, want: 2},
		"before it begins": {want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := newFakeTalk()
				to.after, to.err = c.after, c.err
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c.want)*20*time.Millisecond-time.Millisecond)
				defer cancel()
				if _, err := speak(ctx, to, opened(t, oggFile(t, 100, frame20))); !errors.Is(err, c.err) {
					t.Errorf("speak = %v, want %v", err, c.err)
				}
				if len(to.packets) != c.want {
					t.Errorf("%d packets were sent, want %d", len(to.packets), c.want)
				}
			})
		})
	}
}

func TestPacketsThatACameraDoesNotPlay(t *testing.T) {
	s := opened(t, oggFile(t, 5, frame20|3)) // as many frames as the next byte says
	var err error
	for n := 0; err == nil; n++ {
		var samples int
		if _, samples, err = s.Next(); err == nil && samples != 960*(n+1) {
			t.Errorf("packet %d has %d samples", n, samples)
		}
	}
	if !strings.Contains(err.Error(), "does not play") {
		t.Errorf("Next = %v", err)
	}
}

// wavFile has the samples in as many channels.
func wavFile(tag, channels uint16, rate uint32, bits uint16, samples ...int16) string {
	f := binary.LittleEndian.AppendUint16([]byte("WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00"), tag)
	f = binary.LittleEndian.AppendUint16(f, channels)
	f = binary.LittleEndian.AppendUint32(f, rate)
	f = binary.LittleEndian.AppendUint32(f, rate*uint32(channels*bits/8))
	f = binary.LittleEndian.AppendUint16(f, channels*bits/8)
	f = binary.LittleEndian.AppendUint16(f, bits)
	f = binary.LittleEndian.AppendUint32(append(f, "data"...), uint32(2*len(samples)))
	for _, s := range samples {
		f = binary.LittleEndian.AppendUint16(f, uint16(s))
	}
	return "RIFF\x00\x00\x00\x00" + string(f)
}

func TestWAVBecomesMonoFrames(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []int16
	}{
		"mono":       {wavFile(1, 1, 48000, 16, 1, -2, 3), []int16{1, -2, 3, 0}},
		"stereo":     {wavFile(1, 2, 48000, 16, 10, 20, -30, -10, 5, 5), []int16{15, -20, 5, 0}},
		"extensible": {wavFile(0xfffe, 1, 48000, 16, 7), []int16{7, 0, 0, 0}},
		"torn":       {strings.TrimSuffix(wavFile(1, 2, 48000, 16, 10, 20, 30, 40), "\x00"), []int16{15, 0, 0, 0}},
	} {
		w, err := newWAV(strings.NewReader(c.file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		frame := make([]int16, opus.FrameSamples)
		for i := range frame {
			frame[i] = -1
		}
		if err := w.frame(frame); err != nil || !slices.Equal(frame[:4], c.want) || frame[959] != 0 {
			t.Errorf("%s: %v, %v, want %v", name, frame[:4], err, c.want)
		}
		if err := w.frame(frame); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end", name, err)
		}
	}
}

func TestWAVThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"44.1 kHz":  {wavFile(1, 2, 44100, 16), "48000"},
		"24 bit":    {wavFile(1, 1, 48000, 24), "16 bits"},
		"float":     {wavFile(3, 1, 48000, 16), "PCM"},
		"surround":  {wavFile(1, 6, 48000, 16), "mono or stereo"},
		"no sound":  {wavFile(1, 1, 48000, 16)[:50], "without sound"},
		"no format": {"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "format"},
		"torn":      {"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01", "format"},
		"no WAV":    {"RIFF\x00\x00\x00\x00AVI ", "no WAV"},
	} {
		if _, err := newWAV(strings.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something of %q", name, err, c.want)
		}
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wavFile(1, 2, 48000, 16, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, file string) {
		w, err := newWAV(strings.NewReader(file))
		if err != nil {
			return
		}
		frame, n := make([]int16, opus.FrameSamples), 0
		for err == nil {
			err = w.frame(frame)
			n++
		}
		if !errors.Is(err, io.EOF) || n > 2+len(file)/opus.FrameSamples {
			t.Errorf("%d frames out of %d bytes, %v", n, len(file), err)
		}
	})
}

// TestWAVIsEncoded has the encoder, or the sentence that there is none.
func TestWAVIsEncoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "voice.wav")
	if err := os.WriteFile(path, []byte(wavFile(1, 1, 48000, 16, make([]int16, 1000)...)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openSoundFile(path)
	if e, without := opus.New(voiceBitrate); without != nil {
		if err == nil || !strings.Contains(err.Error(), "without cgo") {
			t.Errorf("openSoundFile = %v", err)
		}
		return
	} else {
		e.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		p, samples, err := s.Next()
		if n, bad := opus.Samples(p); err != nil || bad != nil || n != 960 || samples != 960 {
			t.Errorf("packet %x of %d samples, %v", p, samples, err)
		}
	}
	if _, _, err := s.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v at the end", err)
	}
}
