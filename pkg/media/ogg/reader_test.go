package ogg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"
)

// page makes one page of stream 7.
func page(flags byte, sequence uint32, lacing []byte, body string) []byte {
	b := append([]byte("OggS\x00"), flags)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint32(b, 7)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	b = append(append(b, lacing...), body...)
	binary.LittleEndian.PutUint32(b[22:], checksum(b))
	return b
}

const head = "OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"

var (
	headPage = page(first, 0, []byte{19}, head)
	tagsPage = page(0, 1, []byte{16}, "OpusTags\x00\x00\x00\x00\x00\x00\x00\x00")
)

func file(pages ...[]byte) []byte { return bytes.Join(pages, nil) }

func packets(b []byte) (l []string, err error) {
	r, err := NewReader(bytes.NewReader(b))
	for err == nil {
		var p []byte
		if p, err = r.Next(); err == nil {
			l = append(l, string(p))
		}
	}
	return l, err
}

func TestPacketsComeWhole(t *testing.T) {
	long := strings.Repeat("l", 255+255+3)
	other := page(0, 0, []byte{1}, "o")
	other[14]++
	clear(other[22:26])
	binary.LittleEndian.PutUint32(other[22:], checksum(other))
	got, err := packets(file(headPage, tagsPage, page(0, 2, []byte{1, 2, 255}, "abb"+long[:255]), other,
		page(continued, 3, []byte{255, 3}, long[255:]), page(last, 4, []byte{255, 0}, long[:255]), []byte("what follows is not read")))
	if !errors.Is(err, io.EOF) || len(got) != 4 || got[0] != "a" || got[1] != "bb" || got[2] != long || got[3] != long[:255] {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

func TestItReadsWhatAnotherWrites(t *testing.T) {
	var b bytes.Buffer
	w, err := oggwriter.NewWith(&b, 48000, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint16(3) {
		p := &rtp.Packet{Header: rtp.Header{SequenceNumber: i, Timestamp: 960 * uint32(i)}, Payload: []byte{0xfc, byte(i)}}
		if err := w.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := packets(b.Bytes())
	if !errors.Is(err, io.EOF) || strings.Join(got, "") != "\xfc\x00\xfc\x01\xfc\x02" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLongTagsArePassedOver(t *testing.T) {
	full := bytes.Repeat([]byte{255}, 255)
	pages := [][]byte{headPage, page(0, 1, full, "OpusTags"+strings.Repeat("p", 255*255-8)),
		page(continued, 2, []byte{1}, "p"), page(last, 3, []byte{1}, "a")}
	if got, err := packets(file(pages...)); !errors.Is(err, io.EOF) || len(got) != 1 || got[0] != "a" {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	sound := page(0, 2, []byte{1}, "a")
	damaged := bytes.Clone(sound)
	damaged[len(damaged)-1] ^= 1
	full := bytes.Repeat([]byte{255}, 255)
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":            {nil, ErrNotOpus},
		"a WAV file":         {[]byte("RIFF\x00\x00\x00\x00WAVEfmt and so on, and on"), ErrNotOpus},
		"Vorbis":             {page(first, 0, []byte{7}, "\x01vorbis"), ErrNotOpus},
		"no tags":            {file(headPage, page(0, 1, []byte{1}, "a")), ErrNotOpus},
		"head only":          {headPage, io.ErrUnexpectedEOF},
		"another version":    {page(first, 0, []byte{19}, strings.Replace(head, "\x01\x01", "\x10\x01", 1)), ErrNotOpus},
		"six channels":       {page(first, 0, []byte{19}, strings.Replace(head, "\x01\x01", "\x01\x06", 1)), ErrFamily},
		"wrong checksum":     {file(headPage, tagsPage, damaged), ErrDamaged},
		"missing page":       {file(headPage, tagsPage, page(0, 3, []byte{1}, "a")), ErrDamaged},
		"not continued":      {file(headPage, tagsPage, page(0, 2, []byte{255}, strings.Repeat("a", 255)), page(0, 3, []byte{1}, "a")), ErrDamaged},
		"torn page":          {file(headPage, tagsPage, sound[:len(sound)-1]), ErrDamaged},
		"torn header":        {file(headPage, tagsPage, sound[:20]), ErrDamaged},
		"torn packet":        {file(headPage, tagsPage, page(0, 2, []byte{255}, strings.Repeat("a", 255))), ErrDamaged},
		"garbage in between": {file(headPage, tagsPage, []byte("garbage"), sound), ErrDamaged},
		"a packet too large": {file(headPage, tagsPage, page(0, 2, full, strings.Repeat("a", 255*255))), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := packets(c.file); !errors.Is(err, c.want) {
				t.Errorf("%d packets, %v, want %v", len(got), err, c.want)
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(headPage, tagsPage, page(last, 2, []byte{1, 2}, "abb")))
	f.Add(file(headPage, page(0, 1, []byte{255}, "OpusTags"+strings.Repeat("p", 247)), page(continued, 2, []byte{0}, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		l, err := packets(b)
		for _, p := range l {
			total += len(p)
			if len(p) > MaxPacket {
				t.Errorf("a packet of %d bytes", len(p))
			}
		}
		if err == nil || total > len(b) {
			t.Errorf("%d bytes of packets out of %d, %v", total, len(b), err)
		}
	})
}
