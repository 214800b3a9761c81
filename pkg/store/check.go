package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Exit codes of the checking child.
const (
	ExitSound   = 0
	ExitUnknown = 1 // and every other: no judgement
	ExitDamaged = 3
)

// checkTimeout bounds the child. A store of 64 MiB takes less than a second from the cache of
// a slow SD card, and a few seconds without.
const checkTimeout = 60 * time.Second

// CheckFile checks a file, in the checking child. It reads every page and returns nil, an
// error that is ErrDamaged, or any other error if it does not know. First it walks the
// structure itself with bounded reads, because bbolt trusts what is in a page; then bbolt
// checks it.
func CheckFile(path string) error {
	info, err := os.Stat(path) // first: a pipe would wait for its writer
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no regular file", ErrDamaged, path)
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if info, err = f.Stat(); err == nil {
		err = walkFile(f, info.Size())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return boltCheck(path)
}

func boltCheck(path string) (err error) {
	o := options(0)
	o.ReadOnly = true
	db, err := bolt.Open(path, 0o600, o)
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(tx *bolt.Tx) error {
		var first error
		for e := range tx.Check() { // drained, or its goroutine would stay
			if first == nil {
				first = fmt.Errorf("%w: %w", ErrDamaged, e)
			}
		}
		return first
	})
}

// ExitCode returns the exit code of the child for CheckFile's result.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitSound
	case errors.Is(err, ErrDamaged):
		return ExitDamaged
	default:
		return ExitUnknown
	}
}

// ChildCheck returns a Config.Check that runs `exe args… path` as a child, which calls
// CheckFile and exits with ExitCode. If the child is killed, crashes or takes too long, the
// state of the file is unknown.
func ChildCheck(exe string, args ...string) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, exe, append(args[:len(args):len(args)], path)...) //nolint:gosec // camd's own path
		said := &firstBytes{}
		cmd.Stderr = said
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		if ctx.Err() != nil {
			return fmt.Errorf("the check did not finish: %w", ctx.Err())
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == ExitDamaged {
			return fmt.Errorf("%w: %s", ErrDamaged, said.line())
		}
		if err != nil {
			return fmt.Errorf("the check could not be completed: %w: %s", err, said.line())
		}
		return nil
	}
}

// firstBytes keeps the beginning of a child's output; a crash prints much.
type firstBytes struct{ b []byte }

const maxSaid = 512

func (w *firstBytes) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), maxSaid-len(w.b))]...)
	return len(p), nil
}

func (w *firstBytes) line() string {
	l, _, _ := bytes.Cut(bytes.TrimSpace(w.b), []byte("\n"))
	return string(l)
}
