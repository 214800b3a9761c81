package avc

import (
	"bytes"
	_ "embed"
	"errors"
	"slices"
	"testing"
)

// Four pictures of 64x48 by x264: delimiters, two slices each, parameter sets
// before the first and the third.
//
//go:embed testdata/slices.h264
var sliced []byte

func types(annexB []byte) (l []NALType) {
	for nal, rest := Next(annexB); nal != nil; nal, rest = Next(rest) {
		l = append(l, TypeOf(nal))
	}
	return l
}

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want [][]byte
	}{
		"nothing":               {nil, nil},
		"no start code":         {[]byte{1, 2, 3, 0, 0}, nil},
		"three-byte code":       {[]byte{0, 0, 1, 9, 8}, [][]byte{{9, 8}}},
		"four-byte code":        {[]byte{0, 0, 0, 1, 9, 8}, [][]byte{{9, 8}}},
		"both":                  {[]byte{0, 0, 0, 1, 9, 0, 0, 1, 7, 0, 0, 0, 1, 8}, [][]byte{{9}, {7}, {8}}},
		"trailing zeros":        {[]byte{0, 0, 1, 9, 0, 0, 0, 0}, [][]byte{{9}}},
		"bytes before the code": {[]byte{5, 5, 0, 0, 1, 9}, [][]byte{{9}}},
		"empty units":           {[]byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0, 1}, [][]byte{{9}}},
		"emulation prevention":  {[]byte{0, 0, 1, 9, 0, 0, 3, 1}, [][]byte{{9, 0, 0, 3, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][]byte
			for nal, rest := Next(c.in); nal != nil; nal, rest = Next(rest) {
				got = append(got, nal)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestIsB(t *testing.T) {
	for hex, want := range map[string]bool{
		"6588840057e9": false, "419a216c467f": false, "019e4179097f": true,
		"41": false, "4100000000000000000000": false, "67640028acd9": false, "": false,
	} {
		if got := IsB(unhex(t, hex)); got != want {
			t.Errorf("IsB(%s) = %v, want %v", hex, got, want)
		}
	}
}

var slicedUnits = [][]NALType{{9, 7, 8, 5, 5}, {9, 1, 1}, {9, 7, 8, 5, 5}, {9, 1, 1}}

func TestNextUnit(t *testing.T) {
	var all []byte
	i := 0
	for u, rest := NextUnit(sliced); u.Data != nil; u, rest = NextUnit(rest) {
		if got := types(u.Data); !slices.Equal(got, slicedUnits[i]) {
			t.Errorf("unit %d holds %v, want %v", i, got, slicedUnits[i])
		}
		if key := i%2 == 0; u.Key != key || !u.Coded || u.B || u.Partial || u.Sets != key {
			t.Errorf("unit %d: %+v", i, u)
		}
		all = append(all, u.Data...)
		i++
	}
	if i != len(slicedUnits) || !bytes.Equal(all, sliced) {
		t.Errorf("%d units of %d bytes in all, want %d of %d", i, len(all), len(slicedUnits), len(sliced))
	}
}

func TestNextUnitOfLooseParts(t *testing.T) {
	for name, c := range map[string]struct {
		in             []byte
		coded, partial bool
	}{
		"parameter sets only": {[]byte{0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1}, false, false},
		"later slice":         {[]byte{0, 0, 1, 0x41, 0x40, 1}, true, true},
		"filler after slice":  {[]byte{0, 0, 1, 0x41, 0x80, 0, 0, 1, 0x0c, 0xff}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			u, rest := NextUnit(c.in)
			if rest != nil || u.Coded != c.coded || u.Partial != c.partial || !bytes.Equal(u.Data, c.in) {
				t.Errorf("NextUnit() = %+v, %v", u, rest)
			}
		})
	}
}

func TestSplitterIsDeafToHowTheBytesArrive(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 100, len(sliced)} {
		var s Splitter
		var got [][]NALType
		for piece := range slices.Chunk(sliced, size) {
			if err := s.Write(piece); err != nil {
				t.Fatal(err)
			}
			for u, ok := s.Next(); ok; u, ok = s.Next() {
				got = append(got, types(u.Data))
			}
		}
		if u, ok := s.Flush(); ok {
			got = append(got, types(u.Data))
		}
		if !slices.EqualFunc(got, slicedUnits, slices.Equal) {
			t.Errorf("in pieces of %d: %v, want %v", size, got, slicedUnits)
		}
	}
}

func TestSplitterIsBoundedAndGoesOn(t *testing.T) {
	var s Splitter
	junk := bytes.Repeat([]byte{0xff}, MaxUnit/2)
	err := s.Write(junk)
	if err == nil {
		err = s.Write(junk)
	}
	if err != nil {
		t.Fatalf("Write() = %v within the bound", err)
	}
	if err := s.Write(junk[:1]); !errors.Is(err, ErrTooLong) {
		t.Fatalf("Write() = %v beyond the bound, want %v", err, ErrTooLong)
	}
	if err := s.Write(sliced); err != nil {
		t.Fatal(err)
	}
	if u, ok := s.Next(); !ok || !slices.Equal(types(u.Data), slicedUnits[0]) {
		t.Errorf("after the drop: %v %v", u, ok)
	}
}

func TestIterationAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		for u, rest := NextUnit(sliced); u.Data != nil; u, rest = NextUnit(rest) {
			for nal, more := Next(u.Data); nal != nil; nal, more = Next(more) {
				_ = TypeOf(nal)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(sliced)
	f.Add([]byte{0, 0, 1, 0, 0, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		for nal, rest := Next(b); nal != nil; nal, rest = Next(rest) {
			if len(nal) == 0 || nal[len(nal)-1] == 0 || bytes.Contains(nal, startCode) {
				t.Fatalf("NAL unit % x of % x", nal, b)
			}
			IsB(nal)
		}
	})
}

// FuzzSplitter checks that cutting loses no NAL unit, whatever the pieces are.
func FuzzSplitter(f *testing.F) {
	f.Add(sliced, uint(11))
	f.Add([]byte{0, 0, 0, 1, 9, 0, 0, 1, 0x41, 0x80, 0, 0, 0, 0, 1, 9}, uint(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint) {
		b = b[:min(len(b), 4096)] // cutting by single bytes looks at everything again each time
		var s Splitter
		var got []NALType
		for piece := range slices.Chunk(b, int(size%1000)+1) {
			if err := s.Write(piece); err != nil {
				t.Fatal(err) // it is far below MaxUnit
			}
			for u, ok := s.Next(); ok; u, ok = s.Next() {
				got = append(got, types(u.Data)...)
			}
		}
		u, _ := s.Flush()
		if got = append(got, types(u.Data)...); !slices.Equal(got, types(b)) {
			t.Errorf("got %v, want %v", got, types(b))
		}
	})
}
