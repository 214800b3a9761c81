package evdev

import (
	"encoding/hex"
	"slices"
	"testing"
	"time"
)

// Two words of time, then type, code and value: what a little-endian kernel gives.
const (
	down64    = "0500000000000000" + "90d0030000000000" + "0100" + "7400" + "01000000"
	up64      = "0900000000000000" + "0000000000000000" + "0100" + "7400" + "00000000"
	repeat64  = "0600000000000000" + "0000000000000000" + "0100" + "7400" + "02000000"
	report64  = "0500000000000000" + "90d0030000000000" + "0000" + "0000" + "00000000"
	dropped64 = "0500000000000000" + "0000000000000000" + "0000" + "0300" + "00000000"
	motion64  = "0500000000000000" + "0000000000000000" + "0200" + "0000" + "01000000"
	down32    = "05000000" + "90d00300" + "0100" + "7400" + "01000000"
	up32      = "ffffffff" + "00000000" + "0100" + "6701" + "00000000"
)

func TestDecode(t *testing.T) {
	down := Event{At: 5*time.Second + 250*time.Millisecond, Key: 116, Down: true}
	for name, c := range map[string]struct {
		hex  string
		word int
		want []Event
	}{
		"nothing":                {"", 8, nil},
		"a press":                {down64 + report64, 8, []Event{down}},
		"a press and a release":  {down64 + report64 + up64 + report64, 8, []Event{down, {At: 9 * time.Second, Key: 116}}},
		"a repetition":           {repeat64 + report64, 8, nil},
		"lost ones":              {dropped64 + up64, 8, []Event{{Lost: true}, {At: 9 * time.Second, Key: 116}}},
		"a mouse":                {motion64, 8, nil},
		"a torn record":          {down64 + up64[:40], 8, []Event{down}},
		"a press, 32 bit":        {down32, 4, []Event{down}},
		"until 2106, 32 bit":     {up32, 4, []Event{{At: (1<<32 - 1) * time.Second, Key: 359}}},
		"a torn record, 32 bit":  {down32[:30], 4, nil},
		"two releases, 32 bit":   {up32 + up32, 4, slices.Repeat([]Event{{At: (1<<32 - 1) * time.Second, Key: 359}}, 2)},
		"16 bytes are no record": {down64[:32], 8, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			if got := decode(b, c.word); !slices.Equal(got, c.want) {
				t.Errorf("decode() = %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, h := range []string{down64, up64 + report64, repeat64, dropped64, down32, up32} {
		b, err := hex.DecodeString(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, word := range []int{4, 8} {
			l := decode(b, word)
			if len(l) > len(b)/(2*word+8) {
				t.Fatalf("%d events of %d bytes", len(l), len(b))
			}
			for _, e := range l {
				if e.Lost && e != (Event{Lost: true}) {
					t.Fatalf("a lost event says more: %+v", e)
				}
			}
		}
	})
}
