package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/camd-project/camd/pkg/store"
)

// localSocket listens at a path, where the file is its own: what else may lie there,
// before or after, is left alone.
type localSocket struct {
	net.Listener
	path string
	made fs.FileInfo
}

// remove removes the socket that listen made, and no other.
func (s *localSocket) remove() {
	if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.made) {
		_ = os.Remove(s.path) // the next start removes it otherwise
	}
}

// listen opens the socket so that at no moment anyone but root or the group camd
// can connect: it is made in a folder that only we enter, gets its mode and
// group there, and is then linked to its place, which must be free.
func listen(path string) (*localSocket, error) {
	left, err := leftover(path)
	if err != nil {
		return nil, err
	}
	if left { // by a camd that was killed
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket that an earlier camd left: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the socket's own mode guards it
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".camd-")
	if err != nil {
		return nil, fmt.Errorf("make the local socket %s: %w", path, store.Bare(err))
	}
	defer os.RemoveAll(private) //nolint:errcheck // no more than a second name of the socket is in it
	born := filepath.Join(private, "s")
	l, err := net.Listen("unix", born)
	if err != nil {
		if op := new(net.OpError); errors.As(err, &op) {
			err = op.Err // without the temporary name
		}
		return nil, fmt.Errorf("open the local socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	made, err := place(born, path)
	if err != nil {
		l.Close() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("open the local socket %s: %w", path, store.Bare(err))
	}
	return &localSocket{Listener: l, path: path, made: made}, nil
}

// maxSocketPath is the longest path of a Unix socket, bytes: sun_path of unix(7)
// without its NUL.
const maxSocketPath = 107

// leftover reports whether a socket lies at path that may be replaced: one of this
// user's, to which nobody listens. Anything else there is an error, and so is a path
// that no socket can have.
func leftover(path string) (bool, error) {
	if longest := max(len(path), len(filepath.Dir(path)+"/.camd-1234567890/s")); longest > maxSocketPath { // where it is made first
		return false, fmt.Errorf("%s is too long for a socket: let device.socket name a path that is %d bytes shorter", path, longest-maxSocketPath)
	}
	there, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at the local socket: %w", err)
	case there.Mode().Type() != fs.ModeSocket:
		return false, fmt.Errorf("%s is not a socket but %s, which camd leaves alone: let device.socket name a place of its own", path, kind(there.Mode()))
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close() //nolint:errcheck // nothing was sent
		return false, fmt.Errorf("another camd, or another program, serves %s already; stop it first", path)
	}
	owner, known := there.Sys().(*syscall.Stat_t)
	if !errors.Is(err, syscall.ECONNREFUSED) || !known || int(owner.Uid) != os.Geteuid() {
		return false, fmt.Errorf("%s is a socket of another program, which camd leaves alone: let device.socket name a place of its own", path)
	}
	return true, nil
}

// kind names what is no socket.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m.Type() == fs.ModeSymlink:
		return "a symbolic link"
	case m.IsRegular():
		return "a file"
	}
	return "a device or a pipe"
}

// place gives the socket its group and mode, and then its name. A link, unlike a
// rename, replaces nothing.
func place(born, path string) (fs.FileInfo, error) {
	mode := os.FileMode(0o600)
	if g, err := user.LookupGroup("camd"); err == nil {
		gid, err := strconv.Atoi(g.Gid)
		if err != nil {
			return nil, fmt.Errorf("group camd: %w", err)
		}
		if err := os.Chown(born, -1, gid); err != nil {
			return nil, err
		}
		mode = 0o660
	}
	if err := os.Chmod(born, mode); err != nil {
		return nil, err
	}
	if err := os.Link(born, path); err != nil {
		return nil, err
	}
	return os.Lstat(path)
}
