package pairing

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestFramedBytes(t *testing.T) {
	var stream bytes.Buffer
	c := NewFramed(&stream)
	if err := c.WriteMessage([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if want := "\x00\x00\x00\x03abc"; stream.String() != want {
		t.Fatalf("frame %q, want %q", stream.String(), want)
	}
	if got, err := c.ReadMessage(); err != nil || string(got) != "abc" {
		t.Fatalf("ReadMessage = %q, %v", got, err)
	}
	largest := bytes.Repeat([]byte{1}, proto.MaxMessage)
	if err := c.WriteMessage(largest); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ReadMessage(); err != nil || !bytes.Equal(got, largest) {
		t.Fatalf("largest message: %d bytes, %v", len(got), err)
	}
}

func TestFramedRefuses(t *testing.T) {
	for stream, want := range map[string]error{
		"":                     io.EOF,
		"\x00\x00":             io.ErrUnexpectedEOF,
		"\x00\x00\x00\x03ab":   io.ErrUnexpectedEOF,
		"\x00\x00\x00\x03":     io.EOF,
		"\x00\x00\x00\x00":     ErrProtocol,
		"\x00\x00\x40\x01":     ErrProtocol, // one more than allowed
		"\xff\xff\xff\xff...":  ErrProtocol,
		"GET / HTTP/1.1\r\n\r": ErrProtocol,
	} {
		if msg, err := NewFramed(bytes.NewBufferString(stream)).ReadMessage(); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v; want %v", stream, msg, err, want)
		}
	}
	for _, n := range []int{0, proto.MaxMessage + 1} {
		if err := NewFramed(new(bytes.Buffer)).WriteMessage(make([]byte, n)); !errors.Is(err, ErrProtocol) {
			t.Errorf("write %d bytes: %v, want ErrProtocol", n, err)
		}
	}
}
