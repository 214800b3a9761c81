package wav

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

const head = "RIFF\x00\x00\x00\x00WAVE"

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []int32
		end  error
	}{
		"16 bits, odd chunk before": {head + "LIST\x01\x00\x00\x00a\x00fmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\xbb\x00\x00\x00\x77\x01\x00\x02\x00\x10\x00data\x04\x00\x00\x00\x01\x00\xff\xff", []int32{1 << 16, -1 << 16}, io.EOF},
		"24 bits, stereo, torn":     {head + "fmt \x10\x00\x00\x00\x01\x00\x02\x00\x80\xbb\x00\x00\x00\x77\x01\x00\x06\x00\x18\x00data\xff\xff\xff\xff\x00\x00\x02\x00\x00\x04\x00", []int32{3 << 24}, io.ErrUnexpectedEOF},
	} {
		r, err := NewReader(strings.NewReader(c.file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := make([]int32, 9)
		n, err := r.Read(got)
		if !r.PCM || r.Rate != 48000 || err != nil || !slices.Equal(got[:n], c.want) {
			t.Errorf("%s: %+v, %v, %v", name, r.Format, got[:n], err)
		}
		if n, err := r.Read(got); n != 0 || !errors.Is(err, c.end) {
			t.Errorf("%s: %d more, %v", name, n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(head + "fmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\xbb\x00\x00\x00\x77\x01\x00\x02\x00\x10\x00data\x04\x00\x00\x00\x01\x00\xff\xff")
	f.Fuzz(func(t *testing.T, file string) {
		r, err := NewReader(strings.NewReader(file))
		if err != nil || !r.PCM || r.Channels > 2 || r.Bits > 32 {
			return
		}
		for all, buf := 0, make([]int32, 10); err == nil; {
			var n int
			n, err = r.Read(buf)
			if all += n; all > len(file) {
				t.Fatalf("%d samples of %d bytes", all, len(file))
			}
		}
	})
}
