package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func cut(w *Writer, message []byte, size int) (l [][]byte) {
	for w.Load(message); !w.Done(); {
		l = append(l, w.Next(size))
	}
	return l
}

// The bytes of docs/protocol.md 14.4.
func TestGolden(t *testing.T) {
	var w Writer
	var got []string
	for _, m := range []struct {
		length, size int
	}{{3, 20}, {48, 20}, {19, 20}, {20, 20}, {48, 64}} {
		for _, f := range cut(&w, text(m.length), m.size) {
			got = append(got, hex.EncodeToString(f))
		}
	}
	want := []string{
		"c0000102",
		"81000102030405060708090a0b0c0d0e0f101112",
		"02131415161718191a1b1c1d1e1f202122232425",
		"43262728292a2b2c2d2e2f",
		"c4000102030405060708090a0b0c0d0e0f101112",
		"85000102030405060708090a0b0c0d0e0f101112",
		"4613",
		"c7" + hex.EncodeToString(text(48)),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMessagesComeBack(t *testing.T) {
	var w Writer
	var r Reader
	for _, length := range []int{1, 18, 19, 20, 38, 511, 512, 1000, proto.MaxMessage - 1, proto.MaxMessage} {
		for _, size := range []int{MinSize, 21, 244, MaxSize} {
			frames := cut(&w, text(length), size)
			for i, f := range frames {
				if len(f) > size {
					t.Fatalf("a frame of %d bytes, not %d", len(f), size)
				}
				m, err := r.Add(f)
				if err != nil || (m != nil) != (i == len(frames)-1) {
					t.Fatalf("frame %d of %d: %d bytes, %v", i, len(frames), len(m), err)
				}
				if m != nil && !bytes.Equal(m, text(length)) {
					t.Fatalf("message of %d bytes comes back as %d", length, len(m))
				}
			}
		}
	}
}

// A peer may come to a larger MTU in the middle of a message.
func TestTheSizeChangesWithinAMessage(t *testing.T) {
	var w Writer
	var r Reader
	w.Load(text(300))
	for _, size := range []int{20, 20, 244, 185} {
		m, err := r.Add(w.Next(size))
		if err != nil {
			t.Fatal(err)
		}
		if w.Done() != (m != nil) || m != nil && !bytes.Equal(m, text(300)) {
			t.Errorf("%v, %d bytes", w.Done(), len(m))
		}
	}
	if !w.Done() {
		t.Error("frames are left")
	}
}

func TestRefused(t *testing.T) {
	first, second := []byte{First, 1}, []byte{1, 2}
	for name, frames := range map[string][][]byte{
		"nothing":                      {{}},
		"no payload":                   {{First | Last}},
		"longer than a value":          {append([]byte{First | Last}, make([]byte, MaxSize)...)},
		"not the first frame":          {second},
		"no beginning":                 {{0, 1}},
		"begins with another number":   {{First | Last | 1, 1}},
		"the same frame again":         {first, first},
		"one is lost":                  {first, {2, 3}},
		"begins again":                 {first, {First | 1, 1}},
		"goes on after its end":        {{First | Last, 1}, {1, 1}},
		"the number begins again":      {{First | Last, 1}, {First | Last, 1}},
		"one byte more than a message": over(),
	} {
		t.Run(name, func(t *testing.T) {
			var r Reader
			for _, f := range frames[:len(frames)-1] {
				if _, err := r.Add(f); err != nil {
					t.Fatal(err)
				}
			}
			if m, err := r.Add(frames[len(frames)-1]); !errors.Is(err, ErrFrame) || m != nil {
				t.Errorf("Add() = %d bytes, %v", len(m), err)
			}
		})
	}
}

func over() [][]byte {
	var w Writer
	return cut(&w, make([]byte, proto.MaxMessage+1), MaxSize)
}

func TestSize(t *testing.T) {
	for mtu, want := range map[int]int{0: 20, -1: 20, 23: 20, 24: 21, 185: 182, 247: 244, 517: 500, 65535: 500} {
		if got := Size(mtu); got != want {
			t.Errorf("Size(%d) = %d, want %d", mtu, got, want)
		}
	}
}

// Whatever comes, a Reader holds no more than a message, and what it takes a Writer of
// frames as long makes again.
func FuzzReader(f *testing.F) {
	f.Add([]byte{2, First, 1, 2, Last | 1, 2})
	f.Add([]byte{4, First | Last, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Reader
		var again Writer
		var taken [][]byte
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			frame := b[1 : 1+n]
			b = b[1+n:]
			m, err := r.Add(frame)
			if err != nil {
				return
			}
			if taken = append(taken, frame); m == nil {
				continue
			}
			again.Load(m)
			for _, want := range taken {
				if got := again.Next(len(want)); !bytes.Equal(got, want) {
					t.Fatalf("made again %x, was %x", got, want)
				}
			}
			taken = nil
		}
		if len(r.message) > proto.MaxMessage {
			t.Error("more than a message is kept")
		}
	})
}
