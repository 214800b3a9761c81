package system

import (
	"bytes"
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/test/rig"
)

// Whoever reads camd's log holds nothing up, whether they stall or are gone: who watches
// goes on watching, privacy mode closes the camera, and the end is in order.
func TestALogThatNobodyReads(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, read, write *os.File){
		"a reader that stalls":  func(t *testing.T, _, write *os.File) { fill(t, write) },
		"a reader that is gone": func(_ *testing.T, read, _ *os.File) { _ = read.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, synthetic)
			var read *os.File
			read, r.Stderr = pipe(t)
			stop(t, read, r.Stderr)
			r.Start()
			r.Online()
			w := mustWatch(t, r.Owner())
			w.picture(t)
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			defer cancel()
			if a, err := client.Ask(ctx, r.Socket, map[string]any{"cmd": "privacy", "on": true}); err != nil {
				t.Errorf("privacy mode: %s, %v", a, err)
			}
			<-w.session.Done()
			if err := r.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("camd ended with %v, want exit code 0", err)
			}
		})
	}
}

// pipe makes a pipe whose ends block, as a shell's do.
func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	read, write = os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")
	t.Cleanup(func() { _, _ = read.Close(), write.Close() })
	return read, write
}

// fill fills a pipe, so that the next write to it waits.
func fill(t *testing.T, write *os.File) {
	t.Helper()
	fd := int(write.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for page := bytes.Repeat([]byte("x"), 4096); ; {
		if _, err := unix.Write(fd, page); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}
