// Package download brings one file of known size and hash over HTTP. It goes on where it was
// interrupted, keeps to a rate, waits while it would disturb someone, and calls a file
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

// Config says how files are brought.
type Config struct {
	HTTP *http.Client // nil: one that verifies servers and follows no redirect out of HTTPS
	Rate int          // bytes a second; 0: as fast as it goes
	// Wait reports whether the download would disturb someone now. nil: never.
	Wait func() bool
}

// Item is a file to bring.
type Item struct {
	URL    string
	Path   string // where it is complete; what has come so far is beside it
	Size   int64
	SHA256 []byte
}

// Errors. What a person sees is the sentence around them.
var (
	// ErrWrong is the error for bytes that are not the file.
	ErrWrong = errors.New("the update server sent something else than was signed")
	// ErrFull is the error for storage that is full.
	ErrFull = errors.New("the storage is full: remove something from the state's file system")
	// ErrServer is the error for a server that does not answer as it should.
	ErrServer = errors.New("the update server could not be reached, or broke off; the camera tries again")
)

const (
	block     = 64 << 10         // read at once
	syncEvery = 8 << 20          // bytes that a power cut may cost
	stall     = time.Minute      // for one block: a server that is slower is no server
	waitLook  = 2 * time.Second  // at whether it still disturbs
	again     = 2 * time.Second  // before a connection that was cut is made again
	dialTime  = 30 * time.Second // for the answer to begin
	redirects = 3
)

// Downloader brings files, one at a time.
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
		d.http = defaultClient()
	}
	if d.wait == nil {
		d.wait = func() bool { return false }
	}
	return d
}

func defaultClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.ResponseHeaderTimeout = dialTime
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > redirects {
			return errors.New("redirected out of HTTPS, or too often")
		}
		return nil
	}}
}

// Have returns how many bytes of a file are there, complete or not.
func (d *Downloader) Have(path string) int64 {
	for _, p := range []string{path, part(path)} {
		if info, err := os.Stat(p); err == nil {
			return info.Size()
		}
	}
	return 0
}

// Remove removes a file and what has come of it.
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

// Fetch brings the file and returns when it is complete and verified, which one that was
// brought before is, too. progress is called with the percentage when it changes. Errors:
// ErrWrong, ErrFull, ErrServer, ctx's, or what the storage said. What has come is kept for
// the next call, but for ErrWrong.
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

// finish makes a verified file the complete one.
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

// storage says an error of the storage.
func storage(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrFull
	}
	return fmt.Errorf("keep the download: %w", err)
}
