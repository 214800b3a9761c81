// Package wav reads the PCM of WAV files (RIFF/WAVE, as Microsoft's Multimedia
// Programming Interface 1.0 describes it) as one channel.
package wav

import (
	"encoding/binary"
	"errors"
	"io"
)

// Errors of NewReader, as parts of a sentence.
var (
	ErrNotWAV   = errors.New("it is no WAV file")
	ErrNoFormat = errors.New("it is a WAV file that does not say its format")
	ErrNoSound  = errors.New("it is a WAV file without sound")
)

// Format is the format of a file's samples. Only a Reader of PCM can be read.
type Format struct {
	PCM                  bool
	Channels, Rate, Bits int
}

// Reader reads samples.
type Reader struct {
	Format
	data io.LimitedReader
	raw  []byte
}

// NewReader reads in up to the first sample.
func NewReader(in io.Reader) (*Reader, error) {
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, ErrNotWAV
	}
	r := &Reader{}
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(in, chunk[:]); err != nil {
			return nil, ErrNoSound
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		body := io.LimitedReader{R: in, N: size + size&1} // padded to an even length
		switch string(chunk[:4]) {
		case "fmt ":
			if err := r.readFormat(&body); err != nil {
				return nil, err
			}
		case "data":
			if r.Channels == 0 || r.Bits < 8 {
				return nil, ErrNoFormat
			}
			body.N = size
			r.data = body
			return r, nil
		}
		if _, err := io.Copy(io.Discard, &body); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) readFormat(body io.Reader) error {
	var f [26]byte
	if n, _ := io.ReadFull(body, f[:]); n < 16 {
		return ErrNoFormat
	}
	const pcm, extensible = 1, 0xfffe
	le := binary.LittleEndian
	tag := le.Uint16(f[:])
	if subformat := le.Uint16(f[24:]); tag == extensible && subformat != 0 {
		tag = subformat
	}
	r.Format = Format{tag == pcm || tag == extensible, int(le.Uint16(f[2:])), int(le.Uint32(f[4:])), int(le.Uint16(f[14:]))}
	return nil
}

// Read fills samples and returns how many it has read. A sample is the mean of the
// channels, in the upper bits. Read returns 0 with io.EOF at the end, and with
// io.ErrUnexpectedEOF where the file ends before its sound.
func (r *Reader) Read(samples []int32) (int, error) {
	width := r.Bits / 8
	frame := width * r.Channels
	if len(r.raw) < frame*len(samples) {
		r.raw = make([]byte, frame*len(samples))
	}
	n, err := io.ReadFull(&r.data, r.raw[:frame*len(samples)])
	if n < frame {
		switch {
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return 0, err
		case r.data.N > 0:
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	data := r.raw[:n-n%frame]
	for i := range len(data) / frame {
		var sum int64
		for range r.Channels {
			var v uint32
			for _, b := range data[:width] {
				v = v>>8 | uint32(b)<<24
			}
			sum += int64(int32(v)) //nolint:gosec // two's complement
			data = data[width:]
		}
		samples[i] = int32(sum / int64(r.Channels)) //nolint:gosec // a mean of int32
	}
	return n / frame, nil
}
