package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What lies at device.socket and is not camd's own is refused in a sentence, and stays
// as it is.
func TestWhatLiesInTheSocketsPlaceStays(t *testing.T) {
	content := []byte("somebody's")
	for name, c := range map[string]struct {
		put  func(t *testing.T, path string) error
		want string
	}{
		"a file":   {func(_ *testing.T, path string) error { return os.WriteFile(path, content, 0o600) }, "not a socket but a file"},
		"a folder": {func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "not a socket but a folder"},
		"a pipe":   {func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) }, "a device or a pipe"},
		"a link": {func(_ *testing.T, path string) error {
			return os.Symlink(filepath.Join(filepath.Dir(path), "else"), path)
		},
			"not a socket but a symbolic link"},
		"a link to a dead socket": {func(t *testing.T, path string) error {
			dead(t, path+"-dead")
			return os.Symlink(path+"-dead", path)
		}, "not a socket but a symbolic link"},
		"a socket that is served": {func(t *testing.T, path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		}, "serves"},
		"a socket for datagrams": {func(t *testing.T, path string) error {
			c, err := net.ListenPacket("unixgram", path)
			if err == nil {
				t.Cleanup(func() { _ = c.Close() })
			}
			return err
		}, "a socket of another program"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "camd.sock")
			if err := c.put(t, path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			l, err := listen(path)
			if err == nil {
				l.Close() //nolint:errcheck // the test fails anyway
				t.Fatal("camd takes its place")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is another one now: %v", err)
			}
			if name == "a file" {
				if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
					t.Errorf("it holds %q, %v", got, err)
				}
			}
		})
	}
}

// dead leaves a socket to which nobody listens, as a camd does that was killed.
func dead(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASocketThatAKilledCamdLeftIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "camd.sock")
	dead(t, path)
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	_ = l.Close()
	l.remove()
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("at its end it leaves %v, %v", left, err)
	}
}

// A socket of another user's is not removed, dead or not: it may be waited for.
func TestADeadSocketOfAnotherUserStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "camd.sock")
	dead(t, path)
	if err := os.Lchown(path, 65534, -1); err != nil {
		t.Skipf("needs root, to give a file to another user: %v", err)
	}
	if l, err := listen(path); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("%v, %v", l, err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// At its end camd removes the socket that it made, not what somebody put there since.
func TestOnlyItsOwnSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "camd.sock")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing to lose
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.remove()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// A path that no socket can have is refused in a sentence, not by the kernel's EINVAL.
func TestSocketPathsThatAreTooLong(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, path := range []string{
		filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir))),
		filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir)-4), "s"),
	} {
		_, err := listen(path)
		if err == nil || !strings.Contains(err.Error(), "too long for a socket") || !strings.Contains(err.Error(), "bytes shorter") {
			t.Errorf("%d bytes: %v", len(path), err)
		}
	}
	longest := filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir)-1-len("/.camd-1234567890/s")))
	if err := os.Mkdir(longest, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := listen(filepath.Join(longest, "s"))
	if err != nil {
		t.Fatalf("%d bytes: %v", len(longest)+2, err)
	}
	l.remove()
	_ = l.Close()
}
