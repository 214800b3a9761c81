package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
)

const testSector = 32

// sectorOf is numbers, little-endian, in a sector of their own.
func sectorOf(numbers ...uint64) []byte {
	b := make([]byte, 0, testSector)
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b[:testSector]
}

// sampleLog is a write of two sectors, a flush, a discard, a marker, and a write
// past the cache.
func sampleLog() []byte {
	return slices.Concat(
		sectorOf(0x6a736677736872, 1, 5, testSector),
		sectorOf(2, 2, 0), bytes.Repeat([]byte("a"), 2*testSector),
		sectorOf(0, 0, 1),
		sectorOf(3, 1, 4),
		sectorOf(0, 0, 8, 4),
		sectorOf(4, 1, 2), bytes.Repeat([]byte("b"), testSector),
	)
}

func TestParseWriteLog(t *testing.T) {
	got, err := ParseWriteLog(sampleLog())
	must(t, err)
	want := WriteLog{
		{Offset: 64, Data: bytes.Repeat([]byte("a"), 64)},
		{Data: []byte{}, Durable: true},
		{Offset: 96, Discard: 32},
		{Data: []byte{}},
		{Offset: 128, Data: bytes.Repeat([]byte("b"), 32), Durable: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	image := bytes.Repeat([]byte("."), 5*testSector)
	must(t, got.Apply(image))
	if wantImage := slices.Concat(bytes.Repeat([]byte("."), 64), bytes.Repeat([]byte("a"), 32), make([]byte, 32),
		bytes.Repeat([]byte("b"), 32)); !bytes.Equal(image, wantImage) {
		t.Errorf("\n got %q\nwant %q", image, wantImage)
	}
	if err := got.Apply(image[1:]); err == nil {
		t.Error("a write beyond the disk's end is applied")
	}
	if n, err := LoggedWrites(sampleLog()); n != 5 || err != nil {
		t.Errorf("%d entries, %v; want 5", n, err)
	}
}

func TestParseWriteLogRefuses(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"empty":                  func(b []byte) []byte { return nil },
		"other magic":            func(b []byte) []byte { b[0]++; return b },
		"other version":          func(b []byte) []byte { b[8]++; return b },
		"more entries":           func(b []byte) []byte { b[16]++; return b },
		"endless entries":        func(b []byte) []byte { b[23] = 0xff; return b },
		"sectors too small":      func(b []byte) []byte { b[24] = 16; return b },
		"sectors of an odd size": func(b []byte) []byte { b[24]++; return b },
		"unknown flag":           func(b []byte) []byte { b[testSector+16] |= 16; return b },
		"far away":               func(b []byte) []byte { b[testSector+7] = 1; return b },
		"too long":               func(b []byte) []byte { b[testSector+15] = 1; return b },
		"cut":                    func(b []byte) []byte { return b[:len(b)-1] },
		"cut in an entry":        func(b []byte) []byte { return b[:len(b)-testSector-1] },
	} {
		if l, err := ParseWriteLog(change(sampleLog())); !errors.Is(err, ErrWriteLog) {
			t.Errorf("%s: %v, %v; want ErrWriteLog", name, l, err)
		}
	}
}

func FuzzParseWriteLog(f *testing.F) {
	f.Add(sampleLog())
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseWriteLog(b)
		if err != nil {
			return
		}
		if len(l)*testSector > len(b) {
			t.Errorf("%d entries in %d bytes", len(l), len(b))
		}
		_ = l.Apply(make([]byte, 256)) // it may be beyond the end, but never breaks
	})
}
