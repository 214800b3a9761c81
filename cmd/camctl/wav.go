package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// wav reads the PCM of a WAV file (RIFF/WAVE, as Microsoft's Multimedia Programming
// Interface 1.0 describes it).
type wav struct {
	data     io.Reader
	channels int
	raw      []byte
}

// newWAV reads up to the samples. Only 16 bit at 48 kHz, mono or stereo, is taken.
func newWAV(in io.Reader) (*wav, error) {
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, errors.New("it is no WAV file")
	}
	w := &wav{}
	for {
		kind, body, err := chunk(in)
		if err != nil {
			return nil, errors.New("it is a WAV file without sound")
		}
		switch kind {
		case "fmt ":
			if err := w.format(body); err != nil {
				return nil, err
			}
		case "data":
			if w.channels == 0 {
				return nil, errors.New("it is a WAV file that does not say its format")
			}
			w.data = body
			return w, nil
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, err
		}
	}
}

// chunk begins the next one, whose body includes the padding to an even length.
func chunk(in io.Reader) (kind string, body io.Reader, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return "", nil, err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	return string(head[:4]), io.LimitReader(in, size+size&1), nil
}

func (w *wav) format(body io.Reader) error {
	var f [16]byte
	if _, err := io.ReadFull(body, f[:]); err != nil {
		return errors.New("it is a WAV file that does not say its format")
	}
	const pcm, extensible = 1, 0xfffe
	tag, channels := binary.LittleEndian.Uint16(f[:]), int(binary.LittleEndian.Uint16(f[2:]))
	rate, bits := binary.LittleEndian.Uint32(f[4:]), binary.LittleEndian.Uint16(f[14:])
	if tag != pcm && tag != extensible || channels < 1 || channels > 2 || rate != 48000 || bits != 16 {
		return fmt.Errorf("it has %d channels of %d bits at %d Hz, and 16 bits of PCM at 48000 Hz, mono or stereo, are needed", channels, bits, rate)
	}
	w.channels = channels
	w.raw = make([]byte, 2*channels*960)
	return nil
}

// frame reads 20 ms as mono. The last is filled up with silence.
func (w *wav) frame(samples []int16) error {
	n, err := io.ReadFull(w.data, w.raw[:2*w.channels*len(samples)])
	if n < 2*w.channels {
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return err
	}
	clear(w.raw[n-n%(2*w.channels):])
	for i := range samples {
		sum := 0
		for c := range w.channels {
			sum += int(int16(binary.LittleEndian.Uint16(w.raw[2*(i*w.channels+c):])))
		}
		samples[i] = int16(sum / w.channels)
	}
	return nil
}
