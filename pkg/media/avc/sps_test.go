package avc

import (
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Made by x264 (ffmpeg -c:v libx264), one per kind of field to pass over.
var spsGolden = []struct {
	name, hex string
	want      SPS
}{
	{"baseline", "6742c016d900a02ff970110000030001000003001e0f162e48", SPS{640, 360, "42c016", false}},
	{"high with B-frames", "67640028acd940780227e5c044000003000400000300783c60c658", SPS{1920, 1080, "640028", true}},
	{"main without B-frames", "674d401fd9005005bb0110000003001000000301e0f1832480", SPS{1280, 720, "4d401f", false}},
	{"high with HRD", "67640028acb200f0044fcb8088000003000800000300f3240007a12000f427229403c60c92", SPS{1920, 1080, "640028", false}},
	{"odd size", "67640016acd940a42fe224c044000003000400000300783c58b658", SPS{642, 362, "640016", true}},
	{"interlaced", "6764001eace402d09360220000030002000003003c3e285490", SPS{720, 576, "64001e", false}},
	{"4:4:4", "67f4000c9196405067e370110000030001000003001e0f142a48", SPS{320, 180, "f4000c", false}},
}

func TestParseSPS(t *testing.T) {
	for _, c := range spsGolden {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSPS(unhex(t, c.hex))
			if err != nil || got != c.want {
				t.Errorf("ParseSPS() = %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseSPSWithoutUsabilityInformation(t *testing.T) {
	for name, c := range map[string]struct {
		hex     string
		reorder bool
	}{
		// profile, 0, level 3, id 0, frame_num 4 bits, POC type 0 or 2, 1 reference, 2x2 macroblocks
		"main, order by POC":       {"674d001ef44b20", true},
		"main, decoding order":     {"674d001eda2590", false},
		"baseline, order by POC":   {"6742001ef44b20", false},
		"baseline, decoding order": {"6742001eda2590", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseSPS(unhex(t, c.hex))
			if err != nil || got.Reorder != c.reorder || got.Width != 32 || got.Height != 32 {
				t.Errorf("ParseSPS() = %+v, %v, want 32x32, Reorder %v", got, err, c.reorder)
			}
		})
	}
}

func TestParseSPSRefuses(t *testing.T) {
	whole := unhex(t, spsGolden[1].hex)
	for name, c := range map[string]struct {
		nal  []byte
		want error
	}{
		"nothing":             {nil, ErrNotSPS},
		"a slice":             {[]byte{0x65, 0x88}, ErrNotSPS},
		"header only":         {whole[:4], ErrTooShort},
		"cut":                 {whole[:12], ErrTooShort},
		"endless zeros":       {append([]byte{0x67, 66, 0, 30}, make([]byte, 64)...), ErrTooShort},
		"chroma format 5":     {unhex(t, "6764001e9a000000"), ErrInvalid},
		"order type 3":        {unhex(t, "6742001ec88964"), ErrInvalid},
		"too wide":            {unhex(t, "6742001ef4002102c8"), ErrInvalid},
		"crops all of itself": {unhex(t, "674d001ef44b8913a0"), ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseSPS(c.nal); !errors.Is(err, c.want) {
				t.Errorf("ParseSPS() = %+v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func FuzzParseSPS(f *testing.F) {
	for _, c := range spsGolden {
		f.Add(unhex(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, nal []byte) {
		s, err := ParseSPS(nal)
		if err != nil {
			return
		}
		if s.Width < 1 || s.Height < 1 || s.Width > 16*maxMbs || s.Height > 32*maxMbs || len(s.ProfileLevelID) != 6 {
			t.Errorf("accepted %+v", s)
		}
	})
}
