//go:build cgo && linux

package h264

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What openh264 says would go past camd's log, and wait where its reader stalls.
func TestTheEncoderWritesNothingToStandardError(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before, err := unix.Dup(unix.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(int(write.Fd()), unix.Stderr, 0); err != nil {
		t.Fatal(err)
	}
	e, err := New(small)
	if err == nil {
		_, _ = e.Encode(newScene(small).next(), false)
		e.Close()
	}
	_ = unix.Dup3(before, unix.Stderr, 0) // it was there
	_ = unix.Close(before)
	_ = write.Close()
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(read); err != nil || len(said) > 0 {
		t.Errorf("it says %q, %v", said, err)
	}
}
