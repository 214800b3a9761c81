package avc

import (
	"slices"
	"testing"
)

func TestRecoveryPoints(t *testing.T) {
	long := slices.Concat([]byte{6, 5, 0xff, 45}, make([]byte, 300)) // user data of 300 bytes
	for i := range long[4:] {
		long[4+i] = byte(i) | 1
	}
	for name, c := range map[string]struct {
		nal    []byte
		frames uint32
		ok     bool
	}{
		"at once":                 {[]byte{6, 6, 1, 0xc4, 0x80}, 0, true},
		"of x264, in 58 pictures": {[]byte{6, 6, 2, 0x07, 0x68, 0x80}, 58, true},
		"behind another message":  {slices.Concat(long, []byte{6, 1, 0xc4, 0x80}), 0, true},
		"behind an escaped one":   {[]byte{6, 5, 4, 0, 0, 3, 1, 9, 6, 1, 0xc4, 0x80}, 0, true},
		"another message alone":   {[]byte{6, 1, 1, 0xc4, 0x80}, 0, false},
		"ends in the message":     {[]byte{6, 6, 1}, 0, false},
		"ends in the size":        {[]byte{6, 6}, 0, false},
		"ends in the one before":  {[]byte{6, 5, 200, 1, 2}, 0, false},
		"only 255":                {[]byte{6, 0xff, 0xff}, 0, false},
		"nothing":                 {[]byte{6}, 0, false},
	} {
		if frames, ok := recovery(c.nal); frames != c.frames || ok != c.ok {
			t.Errorf("%s: recovery() = %d, %v, want %d, %v", name, frames, ok, c.frames, c.ok)
		}
	}
}

func FuzzRecovery(f *testing.F) {
	f.Add([]byte{6, 5, 2, 1, 2, 6, 1, 0xc4, 0x80})
	f.Fuzz(func(t *testing.T, nal []byte) {
		if u, _ := NextUnit(joined(nal)); len(nal) > 0 && u.Recovers && u.Data == nil {
			t.Error("a recovery point of nothing")
		}
	})
}
