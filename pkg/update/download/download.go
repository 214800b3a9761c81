// Package download downloads a file of known size and hash over HTTP. It continues after an
// interruption, limits the rate, waits while it would disturb somebody, and calls a file
// complete only after all of it was read back and hashed.
package download

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/store"
)

// Config is the configuration of a Downloader.
type Config struct {
	HTTP *http.Client // nil: one that verifies servers and follows no redirect out of HTTPS
	Rate int          // bytes a second; 0: no limit
	// Wait reports whether the download would disturb somebody now. nil: never.
	Wait func() bool
}

// Item is a file to download.
type Item struct {
	URL    string
	Path   string // of the complete file; an incomplete one is beside it
	Size   int64
	SHA256 []byte
}

// Errors of Fetch. They are wrapped in sentences for people.
var (
	// ErrWrong means that the bytes are not those of the file.
	ErrWrong = errors.New("the update server sent something else than was signed")
	// ErrFull means that the storage is full.
	ErrFull = errors.New("the storage is full: remove something from the state's file system")
	// ErrServer is the error for a server that does not answer as it should.
	ErrServer = errors.New("the update server could not be reached, or broke off; the camera tries again")
)

const (
	block     = 64 << 10         // read at once
	syncEvery = 8 << 20          // bytes that a power cut may cost
	stall     = time.Minute      // for one block; a slower server counts as failed
	waitLook  = 2 * time.Second  // between two calls of Wait
	again     = 2 * time.Second  // before the next connection after one was cut
	dialTime  = 30 * time.Second // for the answer to begin
	redirects = 3
)

// Downloader downloads files, one at a time.
type Downloader struct {
	http *http.Client
	rate int
	wait func() bool

	again, stall time.Duration
}

// New returns a Downloader.
func New(c Config) *Downloader {
	d := &Downloader{http: c.HTTP, rate: c.Rate, wait: c.Wait, again: again, stall: stall}
	if d.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableCompression = true
		transport.ResponseHeaderTimeout = dialTime
		d.http = &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" || len(via) > redirects {
				return errors.New("redirected out of HTTPS, or too often")
			}
			return nil
		}}
	}
	if d.wait == nil {
		d.wait = func() bool { return false }
	}
	return d
}

// Have returns how many bytes of a file there are, complete or not.
func (d *Downloader) Have(path string) int64 {
	for _, p := range []string{path, part(path)} {
		if info, err := os.Stat(p); err == nil {
			return info.Size()
		}
	}
	return 0
}

// Remove removes a file, complete or not.
func (d *Downloader) Remove(path string) error {
	return errors.Join(remove(path), remove(part(path)), remove(tag(path)))
}

func remove(path string) error {
	if err := os.RemoveAll(path); err != nil { // a folder could be in its place
		return fmt.Errorf("remove a download: %w", err)
	}
	return nil
}

func part(path string) string { return path + ".part" }
func tag(path string) string  { return path + ".tag" }

// Fetch downloads the file and returns when it is complete and verified; an earlier one is
// verified again. It calls progress when the percentage changes. The error is ErrWrong,
// ErrFull, ErrServer, that of ctx, or one of the storage. Except after ErrWrong, the bytes so
// far are kept for the next call.
func (d *Downloader) Fetch(ctx context.Context, item Item, progress func(percent int)) error {
	if err := verify(item.Path, item); err == nil {
		progress(100)
		return nil
	}
	if err := remove(item.Path); err != nil {
		return err
	}
	t := &transfer{Downloader: d, Item: item, progress: progress}
	resumed, err := t.open()
	if err != nil {
		return err
	}
	defer t.file.Close() //nolint:errcheck // what counts was synced
	err = t.complete(ctx)
	if errors.Is(err, ErrWrong) && resumed { // what was there before may be to blame
		if err = t.reset(); err == nil {
			err = t.complete(ctx)
		}
	}
	if errors.Is(err, ErrWrong) {
		return errors.Join(err, d.Remove(item.Path))
	}
	return err
}

// verify hashes the whole file as it is on the storage.
func verify(path string, item Item) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != item.Size {
		return ErrWrong
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read the download back: %w", err)
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), item.SHA256) != 1 {
		return ErrWrong
	}
	return nil
}

// finish renames a verified file to its path.
func (t *transfer) finish() error {
	if err := t.file.Sync(); err != nil {
		return storage(err)
	}
	if err := verify(part(t.Path), t.Item); err != nil {
		return err
	}
	if err := os.Rename(part(t.Path), t.Path); err != nil {
		return fmt.Errorf("keep the download: %w", err)
	}
	return errors.Join(remove(tag(t.Path)), store.SyncDir(filepath.Dir(t.Path)))
}

// storage returns a sentence for an error of the storage.
func storage(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrFull
	}
	return fmt.Errorf("keep the download: %w", err)
}
