package studio

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

const (
	formatPCM        = 1
	formatExtensible = 0xfffe
)

// wavFile makes a file of a format chunk and samples; other chunks lie before and between.
func wavFile(tag, channels, rate, bits int, data []byte) []byte {
	le := binary.LittleEndian
	format := le.AppendUint16(nil, uint16(tag))
	format = le.AppendUint16(format, uint16(channels))
	format = le.AppendUint32(format, uint32(rate))
	format = le.AppendUint32(format, uint32(rate*channels*bits/8))
	format = le.AppendUint16(format, uint16(channels*bits/8))
	format = le.AppendUint16(format, uint16(bits))
	if tag == formatExtensible {
		format = append(format, 22, 0, byte(bits), 0, 4, 0, 0, 0, formatPCM, 0)
		format = append(format, make([]byte, 14)...)
	}
	file := []byte("RIFF\x00\x00\x00\x00WAVE")
	for _, c := range []struct {
		id   string
		data []byte
	}{{"LIST", []byte("odd")}, {"fmt ", format}, {"fact", make([]byte, 4)}, {"data", data}} {
		file = append(le.AppendUint32(append(file, c.id...), uint32(len(c.data))), c.data...)
		file = append(file, make([]byte, len(c.data)%2)...)
	}
	return file
}

func TestParseWAV(t *testing.T) {
	for name, tt := range map[string]struct {
		file []byte
		rate int
		want []float64
	}{
		"16 bits":            {wavFile(formatPCM, 1, 22050, 16, []byte{0, 0x40, 0, 0x80, 0, 0}), 22050, []float64{0.5, -1, 0}},
		"24 bits":            {wavFile(formatPCM, 1, 48000, 24, []byte{0, 0, 0x40, 0, 0, 0x80}), 48000, []float64{0.5, -1}},
		"24 bits extensible": {wavFile(formatExtensible, 1, 48000, 24, []byte{0, 0, 0x40}), 48000, []float64{0.5}},
		"stereo":             {wavFile(formatPCM, 2, 44100, 16, []byte{0, 0x40, 0, 0xc0, 0, 0x40, 0, 0x20}), 44100, []float64{0, 0.375}},
		"half a sample":      {wavFile(formatPCM, 1, 44100, 16, []byte{0, 0x40, 1}), 44100, []float64{0.5}},
		"no samples":         {wavFile(formatPCM, 1, 44100, 16, nil), 44100, nil},
	} {
		got, err := parseWAV(tt.file)
		if err != nil || got.Rate != tt.rate || !slices.Equal(got.Samples, tt.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseWAVRefuses(t *testing.T) {
	good := wavFile(formatPCM, 1, 22050, 16, make([]byte, 100))
	for name, file := range map[string][]byte{
		"nothing":             nil,
		"another file":        []byte("OggS and some more"),
		"cut off":             good[:len(good)-1],
		"only a header":       good[:12],
		"no data":             good[:60],
		"floating point":      wavFile(3, 1, 48000, 32, make([]byte, 100)),
		"8 bits":              wavFile(formatPCM, 1, 48000, 8, make([]byte, 100)),
		"no channels":         wavFile(formatPCM, 0, 48000, 16, make([]byte, 100)),
		"six channels":        wavFile(formatPCM, 6, 48000, 16, make([]byte, 120)),
		"rate of 0":           wavFile(formatPCM, 1, 0, 16, make([]byte, 100)),
		"rate of a megahertz": wavFile(formatPCM, 1, 1000000, 16, make([]byte, 100)),
		"data of 4 GiB":       slices.Replace(slices.Clone(good), len(good)-104, len(good)-100, 255, 255, 255, 255),
	} {
		if got, err := parseWAV(file); !errors.Is(err, errWAV) {
			t.Errorf("%s: %d samples, %v", name, len(got.Samples), err)
		}
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wavFile(formatPCM, 1, 22050, 16, make([]byte, 100)))
	f.Add(wavFile(formatExtensible, 2, 48000, 24, make([]byte, 120)))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := parseWAV(file)
		if err != nil {
			return
		}
		if s.Rate < lowestRate || s.Rate > highestRate || len(s.Samples) > len(file)/2 {
			t.Errorf("%d samples at %d Hz from %d bytes", len(s.Samples), s.Rate, len(file))
		}
		for _, v := range s.Samples {
			if math.Abs(v) > 1 {
				t.Fatalf("sample %v", v)
			}
		}
	})
}
