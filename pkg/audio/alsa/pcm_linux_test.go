package alsa

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// onPipe makes a device whose card is the other end of a pipe.
func onPipe(t *testing.T, channels int, way Way) (*device, *os.File) {
	t.Helper()
	ours, card, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if way == Out {
		ours, card = card, ours
	}
	conn, err := ours.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	d := &device{file: ours, conn: conn, channels: channels, raw: make([]byte, 64)}
	d.askDelay = func(uintptr) { d.delayErr = unix.ENOTTY }
	t.Cleanup(func() { _ = d.Close(); _ = card.Close() })
	return d, card
}

// microphone makes a PCM whose card is the other end of a pipe.
func microphone(t *testing.T, channels int) (*PCM, *os.File) {
	t.Helper()
	d, card := onPipe(t, channels, In)
	return &PCM{d}, card
}

func TestReadGivesWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		name     string
		channels int
		raw      []byte
		want     []int16
	}{
		{"mono", 1, []byte{1, 0, 0xff, 0xff, 0, 0x80}, []int16{1, -1, -32768}},
		{"stereo", 2, []byte{10, 0, 20, 0, 0xff, 0x7f, 0xff, 0x7f, 0, 0x80, 0, 0x80}, []int16{15, 32767, -32768}},
		{"stereo out of phase", 2, []byte{0xff, 0x7f, 1, 0x80}, []int16{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, card := microphone(t, c.channels)
			if _, err := card.Write(c.raw); err != nil {
				t.Fatal(err)
			}
			samples := make([]int16, 960)
			n, err := p.Read(samples)
			if err != nil || !slices.Equal(samples[:n], c.want) {
				t.Errorf("Read = %v, %v, want %v", samples[:n], err, c.want)
			}
		})
	}
}

func TestReadTakesNoMoreThanFits(t *testing.T) {
	p, card := microphone(t, 2)
	if _, err := card.Write(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]int16, 3)); n != 3 || err != nil {
		t.Errorf("Read = %d, %v, want 3 samples", n, err)
	}
}

func TestCloseEndsRead(t *testing.T) {
	p, _ := microphone(t, 1)
	done := make(chan error)
	go func() {
		_, err := p.Read(make([]int16, 960))
		done <- err
	}()
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read ended with %v, want os.ErrClosed", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestReadAndDelayAllocateNothing(t *testing.T) {
	p, card := microphone(t, 1)
	raw, samples := make([]byte, 64), make([]int16, 32)
	n := testing.AllocsPerRun(100, func() {
		_, _ = card.Write(raw)
		if got, err := p.Read(samples); got != 32 || err != nil {
			t.Fatalf("Read = %d, %v", got, err)
		}
		_, _ = p.Delay()
	})
	if n != 0 {
		t.Errorf("%v allocations a read, want none", n)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EPIPE: ErrXrun, unix.ESTRPIPE: ErrXrun, unix.ENODEV: ErrGone, unix.EBADFD: ErrGone,
		unix.ENOENT: ErrGone, unix.EBUSY: ErrBusy, unix.EACCES: fs.ErrPermission,
	} {
		if got := meaning(fmt.Errorf("ioctl: %w", errno)); !errors.Is(got, want) {
			t.Errorf("%v means %v, want %v", errno, got, want)
		}
	}
	p, _ := microphone(t, 1)
	p.askDelay = func(uintptr) { p.delayErr = meaning(unix.ENODEV) }
	if err := p.fault(errors.New("not pollable")); !errors.Is(err, ErrGone) {
		t.Errorf("an error of the poller on an unplugged card is %v, want ErrGone", err)
	}
}

func TestOpenWhatIsNotThere(t *testing.T) {
	if _, err := Open("hw:31,31"); !errors.Is(err, ErrGone) {
		t.Errorf("Open = %v, want ErrGone", err)
	}
}

func TestTextIsPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Loopback\x00rest": "Loopback", "": "", "a\x1b[2J\xff\u202e": "a?[2J??", "Mikrofön 2": "Mikrofön 2",
	} {
		if got := text([]byte(in)); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
	}
}
