package packets

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/camd-project/camd/pkg/media/avc"
)

// cut packetises one access unit into payloads of its own.
func cut(annexB []byte) [][]byte {
	var l []*Packet
	z := packetizer{next: func() *Packet {
		l = append(l, new(Packet))
		return l[len(l)-1]
	}}
	z.accessUnit(annexB)
	var out [][]byte
	for _, p := range l {
		out = append(out, p.Payload)
	}
	return out
}

func annexB(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(append(b, 0, 0, 0, 1), n...)
	}
	return b
}

func fill(header byte, n int) []byte {
	b := bytes.Repeat([]byte{0xab}, n)
	b[0] = header
	return b
}

func TestPacketizerGolden(t *testing.T) {
	long := fill(0x65, 2500)
	for name, c := range map[string]struct {
		in   []byte
		want []string // hex; of fragments the first four bytes and their length
	}{
		"single":                  {annexB([]byte{0x41, 1, 2}), []string{"410102"}},
		"AUD and filler are left": {annexB([]byte{9, 0xf0}, []byte{0x41, 1}, []byte{12, 0xff, 0x80}), []string{"4101"}},
		"unspecified types":       {annexB([]byte{0x78, 1}, []byte{0x7c, 1}, []byte{0, 1}), nil},
		"lone parameter set":      {annexB([]byte{0x67, 1}, []byte{0x41, 2}), []string{"6701", "4102"}},
		"STAP-A": {annexB([]byte{0x67, 1, 2}, []byte{0x28, 3}, []byte{6, 5, 1}, []byte{0x65, 9}),
			[]string{"780003670102000228030003060501", "6509"}},
		"forbidden bit is kept": {annexB([]byte{0xe7, 1}, []byte{0x68, 2}), []string{"f80002e7010002" + "6802"}},
		"parameter sets at the end": {annexB([]byte{0x41, 1}, []byte{0x67, 1}, []byte{0x68, 2}),
			[]string{"4101", "780002670100026802"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range cut(c.in) {
				got = append(got, hex.EncodeToString(p))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
	t.Run("FU-A", func(t *testing.T) {
		l := cut(annexB(long))
		if len(l) != 3 || len(l[0]) != maxPayload || len(l[1]) != maxPayload || len(l[2]) != 2+2499-2*(maxPayload-2) {
			t.Fatalf("%d fragments of unexpected sizes", len(l))
		}
		for i, want := range []string{"7c85", "7c05", "7c45"} {
			if got := hex.EncodeToString(l[i][:2]); got != want {
				t.Errorf("fragment %d begins %s, want %s", i, got, want)
			}
		}
	})
	t.Run("largest single and smallest fragmented", func(t *testing.T) {
		if l := cut(annexB(fill(0x41, maxPayload))); len(l) != 1 {
			t.Errorf("%d packets, want 1", len(l))
		}
		if l := cut(annexB(fill(0x41, maxPayload+1))); len(l) != 2 || l[1][1] != 0x41 {
			t.Errorf("%d packets, want 2 of which the second ends", len(l))
		}
	})
	t.Run("large SEI", func(t *testing.T) {
		if l := cut(annexB([]byte{0x67, 1}, fill(6, 1500), []byte{0x68, 2})); len(l) != 4 {
			t.Errorf("%d packets, want SPS, two fragments, PPS", len(l))
		}
	})
}

// kept are the NAL units that packetizer sends. pion's depacketizer loses the
// forbidden bit of fragments.
func kept(annexB []byte) (l [][]byte) {
	for nal, rest := avc.Next(annexB); nal != nil; nal, rest = avc.Next(rest) {
		if len(nal) > maxPayload {
			nal = bytes.Clone(nal)
			nal[0] &^= forbidden
		}
		if t := avc.TypeOf(nal); t != avc.AUD && t != avc.Filler && t != 0 && t < 24 {
			l = append(l, nal)
		}
	}
	return l
}

func FuzzPacketizerIsUndoneByADepacketizer(f *testing.F) {
	f.Add(annexB([]byte{0x67, 1, 2}, []byte{0x68, 3}, fill(0x65, 5000)))
	f.Add(annexB([]byte{9, 0x10}, fill(0x41, maxPayload)))
	f.Add(annexB(fill(6, 700), fill(6, 700), fill(6, 3), fill(0x67, 1200)))
	f.Add([]byte{0, 0, 1, 0, 0, 1, 0x41})
	f.Fuzz(func(t *testing.T, in []byte) {
		var d codecs.H264Packet
		var out []byte
		for _, p := range cut(in) {
			if len(p) == 0 || len(p) > maxPayload {
				t.Fatalf("payload of %d bytes", len(p))
			}
			b, err := d.Unmarshal(p)
			if err != nil {
				t.Fatalf("depacketise: %v", err)
			}
			out = append(out, b...)
		}
		if want := annexB(kept(in)...); !bytes.Equal(out, want) {
			i := 0
			for i < min(len(out), len(want)) && out[i] == want[i] {
				i++
			}
			t.Errorf("got %d bytes, want %d; they differ from byte %d: %.20x", len(out), len(want), i, out[i:])
		}
	})
}
