package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/media/ogg"
)

// voiceBitrate is what the voice to the camera takes, in bit/s.
const voiceBitrate = 32000

// newEncoder returns the encoder of the voice. why says what can't be done without it.
func newEncoder(why string) (*opus.Encoder, error) {
	e, err := opus.New(voiceBitrate)
	if errors.Is(err, opus.ErrNotBuilt) {
		return nil, fmt.Errorf("%s: this camctl was built without cgo, so it has no Opus encoder. It can send Ogg Opus files (--file FILE.ogg)", why)
	}
	return e, err
}

// openSoundFile opens an Ogg Opus file, or a WAV file if there is an encoder.
func openSoundFile(path string) (sound, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", path, home.WithoutPath(err))
	}
	s, err := readSound(path, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func readSound(path string, f io.ReadCloser) (sound, error) {
	in := bufio.NewReader(f)
	kind, _ := in.Peek(4) // the next read returns the same error
	if bytes.Equal(kind, []byte("RIFF")) {
		w, err := newWAV(in)
		if err != nil {
			return nil, fmt.Errorf("%s can't be sent: %w", path, err)
		}
		e, err := newEncoder(path + " can't be sent")
		if err != nil {
			return nil, err
		}
		return &encoded{frames: w, encoder: e, file: f}, nil
	}
	r, err := ogg.NewReader(in)
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, fmt.Errorf("%s is a folder. Name an Ogg Opus or WAV file", path)
	case errors.Is(err, ogg.ErrNotOpus):
		return nil, fmt.Errorf("%s is neither an Ogg Opus nor a WAV file. ffmpeg makes one: ffmpeg -i %s -c:a libopus talk.ogg", path, path)
	case errors.Is(err, ogg.ErrFamily):
		return nil, fmt.Errorf("%s has more than two channels, which a camera does not play. ffmpeg mixes them: ffmpeg -i %s -ac 1 -c:a libopus talk.ogg", path, path)
	case err != nil:
		return nil, fmt.Errorf("%s can't be read: %w", path, home.WithoutPath(err))
	}
	return &oggSound{path: path, file: f, in: r}, nil
}

// oggSound sends the packets of a file as they are.
type oggSound struct {
	path string
	file io.Closer
	in   *ogg.Reader
}

func (*oggSound) Start() error { return nil }

func (s *oggSound) Next() ([]byte, int, error) {
	p, err := s.in.Next()
	if errors.Is(err, io.EOF) {
		return nil, 0, io.EOF
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s can't be read further: %w", s.path, err)
	}
	n, err := opus.Samples(p)
	if errors.Is(err, opus.ErrTooLong) || len(p) > opus.MaxPacket {
		return nil, 0, fmt.Errorf("%s has packets that a camera does not play: too long or too large. ffmpeg makes others: ffmpeg -i %s -c:a libopus talk.ogg", s.path, s.path)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s is damaged: %w", s.path, err)
	}
	return p, n, nil
}

func (s *oggSound) Close() { _ = s.file.Close() } // it was read only

// frames reads sound, 20 ms of mono at 48 kHz at a time. At the end the error is io.EOF.
type frames interface{ frame(samples []int16) error }

// encoded is sound that is encoded here.
type encoded struct {
	frames
	encoder *opus.Encoder
	file    io.Closer
	start   func() error // nil: nothing to do

	samples [opus.FrameSamples]int16
	packet  []byte
}

func (s *encoded) Start() error {
	if s.start == nil {
		return nil
	}
	return s.start()
}

func (s *encoded) Next() ([]byte, int, error) {
	if err := s.frame(s.samples[:]); err != nil {
		return nil, 0, err
	}
	var err error
	s.packet, err = s.encoder.Encode(s.packet[:0], s.samples[:])
	return s.packet, len(s.samples), err
}

func (s *encoded) Close() {
	s.encoder.Close()
	_ = s.file.Close() // it was read only
}

// microphone reads from a capture device.
type microphone struct{ pcm *alsa.PCM }

// openMicrophone opens the device of this name, or the first that works.
func openMicrophone(name string) (sound, error) {
	e, err := newEncoder("the microphone's sound can't be sent")
	if err != nil {
		return nil, err
	}
	pcm, err := openCapture(name)
	if err != nil {
		e.Close()
		return nil, err
	}
	return &encoded{frames: microphone{pcm}, encoder: e, file: pcm, start: pcm.Restart}, nil
}

func openCapture(name string) (*alsa.PCM, error) {
	if name != "" {
		pcm, err := alsa.Open(name)
		if errors.Is(err, alsa.ErrGone) {
			err = alsa.ErrGone
		}
		if err != nil {
			return nil, fmt.Errorf("the microphone %s can't be used: %w. Name another with --device, or send a file with --file", name, err)
		}
		return pcm, nil
	}
	cards, err := alsa.Cards()
	if err != nil {
		return nil, fmt.Errorf("no microphone can be used: %w. Send a file with --file", err)
	}
	for _, c := range cards {
		if !c.Usable {
			continue
		}
		if pcm, err := alsa.Open(c.Device); err == nil {
			return pcm, nil
		}
	}
	return nil, errors.New("no microphone of this computer can be used. Name one with --device, or send a file with --file")
}

// frame waits for 20 ms of sound. After an overrun it begins with what comes next.
func (m microphone) frame(samples []int16) error {
	for n := 0; n < len(samples); {
		got, err := m.pcm.Read(samples[n:])
		if errors.Is(err, alsa.ErrXrun) {
			err = m.pcm.Restart()
			n, got = 0, 0
		}
		if err != nil {
			return fmt.Errorf("the microphone failed: %w", err)
		}
		n += got
	}
	return nil
}
