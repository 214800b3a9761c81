package studio

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	formatPCM        = 1
	formatExtensible = 0xfffe

	lowestRate, highestRate = 8000, 192000
)

var errWAV = errors.New("this is not a WAV file of 16 or 24 bits, one or two channels, 8 to 192 kHz")

// wavFormat is what a "fmt " chunk says.
type wavFormat struct{ channels, rate, bits int }

// parseWAV reads a RIFF WAVE file of linear PCM. Two channels become their mean.
func parseWAV(data []byte) (Sound, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return Sound{}, errWAV
	}
	var format *wavFormat
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		if size > uint64(len(rest)-8) {
			return Sound{}, fmt.Errorf("%w: it ends inside its %q", errWAV, id)
		}
		chunk := rest[8 : 8+size]
		switch {
		case id == "fmt ":
			f, err := parseFormat(chunk)
			if err != nil {
				return Sound{}, err
			}
			format = &f
		case id == "data" && format != nil:
			return Sound{format.samples(chunk), format.rate}, nil
		}
		rest = rest[min(uint64(len(rest)), 8+size+size%2):]
	}
	return Sound{}, fmt.Errorf("%w: it has no sound", errWAV)
}

func parseFormat(chunk []byte) (wavFormat, error) {
	if len(chunk) < 16 {
		return wavFormat{}, errWAV
	}
	le := binary.LittleEndian
	tag := le.Uint16(chunk)
	if tag == formatExtensible && len(chunk) >= 26 {
		tag = le.Uint16(chunk[24:]) // the first two bytes of the subformat
	}
	f := wavFormat{int(le.Uint16(chunk[2:])), int(le.Uint32(chunk[4:])), int(le.Uint16(chunk[14:]))}
	fits := tag == formatPCM && (f.channels == 1 || f.channels == 2) && (f.bits == 16 || f.bits == 24) &&
		f.rate >= lowestRate && f.rate <= highestRate
	if !fits {
		return wavFormat{}, errWAV
	}
	return f, nil
}

// samples reads interleaved samples; what is no whole one at the end is left out.
func (f wavFormat) samples(data []byte) []float64 {
	width := f.bits / 8
	out := make([]float64, len(data)/(width*f.channels))
	for i := range out {
		for range f.channels {
			var v int32 // the sample in the upper bits
			for _, b := range data[:width] {
				v = int32(uint32(v)>>8 | uint32(b)<<24)
			}
			out[i] += float64(v) / (1 << 31) / float64(f.channels)
			data = data[width:]
		}
	}
	return out
}
