package avc

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// numbered makes a NAL unit whose RBSP begins with Exp-Golomb numbers, and ends there.
func numbered(head []byte, numbers ...uint32) []byte {
	out, left := bytes.Clone(head), 0
	put := func(bit uint32) {
		if left == 0 {
			out, left = append(out, 0), 8
		}
		left--
		out[len(out)-1] |= byte(bit << left)
	}
	for _, n := range numbers {
		size := 0
		for (n+1)>>(size+1) > 0 {
			size++
		}
		for range size {
			put(0)
		}
		for i := size; i >= 0; i-- {
			put((n + 1) >> i & 1)
		}
	}
	put(1) // rbsp_stop_one_bit
	return out
}

func testSPS(id uint32, level byte) []byte { return numbered([]byte{0x67, 66, 0xc0, level}, id) }
func testPPS(id, sps, more uint32) []byte  { return numbered([]byte{0x68}, id, sps, more) }
func testIDR(pps uint32) []byte            { return numbered([]byte{0x65}, 0, 7, pps) }
func testNext(pps uint32) []byte           { return numbered([]byte{0x65}, 9, 7, pps) } // the picture's second slice

func joined(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(append(b, StartCode[:]...), n...)
	}
	return b
}

func TestSetsAreKeptById(t *testing.T) {
	spsA, spsA2, spsB := testSPS(0, 10), testSPS(0, 11), testSPS(1, 12)
	ppsA, ppsA2, ppsB := testPPS(0, 0, 0), testPPS(3, 0, 0), testPPS(1, 1, 0)
	renamed := testPPS(0, 1, 5) // id 0 again, of the other SPS
	l := func(nals ...[]byte) [][]byte { return nals }
	for name, c := range map[string]struct {
		learn, unit [][]byte
		sps         []byte // nil: something is missing
		pps         [][]byte
		lead        bool
	}{
		"in the unit":                  {l(spsA, ppsA), l(spsA, ppsA, testIDR(0)), spsA, l(ppsA), false},
		"once":                         {l(spsA, ppsA), l(testIDR(0)), spsA, l(ppsA), true},
		"SPS each time, PPS once":      {l(spsA, ppsA, spsA), l(spsA, testIDR(0)), spsA, l(ppsA), true},
		"PPS each time, SPS once":      {l(spsA, ppsA), l(ppsA, testIDR(0)), spsA, l(ppsA), true},
		"new SPS, old PPS":             {l(spsA, ppsA, spsA2), l(spsA2, testIDR(0)), spsA2, l(ppsA), true},
		"SPS after its PPS":            {l(ppsA, spsA), l(testIDR(0)), spsA, l(ppsA), true},
		"a PPS for later pictures":     {l(spsA, ppsA, ppsA2), l(spsA, ppsA, testIDR(0)), spsA, l(ppsA, ppsA2), true},
		"another SPS beside it":        {l(spsA, ppsA, spsB, ppsB), l(testIDR(0)), spsA, l(ppsA), true},
		"the other SPS":                {l(spsA, ppsA, spsB, ppsB), l(testIDR(1)), spsB, l(ppsB), true},
		"an id that goes over":         {l(spsA, ppsA, ppsA2, spsB, renamed), l(testIDR(0)), spsB, l(renamed), true},
		"two slices, two PPS":          {l(spsA, ppsA, ppsA2), l(testIDR(0), testNext(3)), spsA, l(ppsA, ppsA2), true},
		"a slice's PPS is missing":     {l(spsA, ppsA), l(testIDR(0), testNext(3)), nil, nil, false},
		"slices of two SPS":            {l(spsA, ppsA, spsB, ppsB), l(testIDR(0), testNext(1)), nil, nil, false},
		"no PPS":                       {l(spsA), l(testIDR(0)), nil, nil, false},
		"no SPS":                       {l(ppsA), l(testIDR(0)), nil, nil, false},
		"no slice":                     {l(spsA, ppsA), l(spsA), nil, nil, false},
		"a slice that ends too early":  {l(spsA, ppsA), l([]byte{0x65}), nil, nil, false},
		"an SPS id that none may have": {l(testSPS(32, 10), testPPS(0, 32, 0)), l(testIDR(0)), nil, nil, false},
		"a PPS id that none may have":  {l(spsA, testPPS(256, 0, 0)), l(testIDR(256)), nil, nil, false},
		"a set that is too long":       {l(spsA, append(testPPS(0, 0, 0), bytes.Repeat([]byte{7}, maxSet)...)), l(testIDR(0)), nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, unit := SetsIn(joined(c.learn...)), joined(c.unit...)
			sps, pps := s.Of(unit)
			if !bytes.Equal(sps, c.sps) || !slices.EqualFunc(pps, c.pps, bytes.Equal) || !bytes.Equal(s.SPS(unit), c.sps) {
				t.Errorf("Of() = %x, %x, want %x, %x; SPS() = %x", sps, pps, c.sps, c.pps, s.SPS(unit))
			}
			var want []byte
			if c.lead {
				want = joined(append([][]byte{c.sps}, c.pps...)...)
			}
			if got := s.Lead(nil, unit); !bytes.Equal(got, want) {
				t.Errorf("Lead() = %x, want %x", got, want)
			}
		})
	}
}

func TestSetsThatWereGivenOutStay(t *testing.T) {
	s := SetsIn(joined(testSPS(0, 10), testPPS(0, 0, 0)))
	sps, pps := s.Of(joined(testIDR(0)))
	before := fmt.Sprintf("%x %x", sps, pps)
	s.Learn(joined(testSPS(0, 20), testPPS(0, 0, 9)))
	if after := fmt.Sprintf("%x %x", sps, pps); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

func FuzzSets(f *testing.F) {
	f.Add(joined(testSPS(0, 10), testPPS(0, 0, 0), testIDR(0)), joined(testIDR(0)))
	f.Add(joined(testPPS(255, 31, 0)), joined(testNext(255)))
	f.Fuzz(func(t *testing.T, learn, stream []byte) {
		s := SetsIn(learn)
		u, _ := NextUnit(stream)
		unit := u.Data
		s.Learn(unit)
		sps, pps := s.Of(unit)
		if (sps == nil) != (len(pps) == 0) {
			t.Errorf("SPS %x with PPS %x", sps, pps)
		}
		// A decoder that begins with what leads and the unit finds the same sets there.
		whole := append(s.Lead(nil, unit), unit...)
		got, gotPPS := SetsIn(whole).Of(unit)
		if !bytes.Equal(got, sps) || !slices.EqualFunc(gotPPS, pps, bytes.Equal) {
			t.Errorf("%x, %x lead, want %x, %x", got, gotPPS, sps, pps)
		}
	})
}
