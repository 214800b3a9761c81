package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/store"
)

// transfer is the download of one file.
type transfer struct {
	*Downloader
	Item
	progress func(percent int)

	file    *os.File
	have    int64
	synced  int64
	etag    string // strong, of the server's file; empty: there is none
	percent int
}

// open opens the incomplete file. resumed is set if there are bytes of this very file.
func (t *transfer) open() (resumed bool, err error) {
	if info, err := os.Lstat(part(t.Path)); err == nil && !info.Mode().IsRegular() {
		if err := remove(part(t.Path)); err != nil {
			return false, err
		}
	}
	if t.file, err = os.OpenFile(part(t.Path), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return false, storage(err)
	}
	info, err := t.file.Stat()
	if err != nil {
		return false, storage(err)
	}
	text, _ := store.ReadFile(tag(t.Path)) // without it nothing is resumed
	hash, etag, _ := strings.Cut(string(text), "\n")
	if hash != hex.EncodeToString(t.SHA256) || info.Size() > t.Size {
		return false, t.reset()
	}
	t.have, t.synced, t.etag = info.Size(), info.Size(), etag
	t.show()
	return t.have > 0, nil
}

// reset begins again.
func (t *transfer) reset() error {
	if err := t.file.Truncate(0); err != nil {
		return storage(err)
	}
	t.have, t.synced, t.etag = 0, 0, ""
	return t.note()
}

// note stores which file it is, and its ETag.
func (t *transfer) note() error {
	if err := store.WriteFile(tag(t.Path), []byte(hex.EncodeToString(t.SHA256)+"\n"+t.etag)); err != nil {
		return storage(err)
	}
	return nil
}

// complete downloads the rest, over as many connections as necessary, if each brings
// something.
func (t *transfer) complete(ctx context.Context) error {
	for t.have < t.Size {
		for t.wait() { // until nobody is disturbed
			if err := sleep(ctx, waitLook); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		before := t.have
		err := t.request(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, errors.Is(err, errPaused):
		case errors.Is(err, errCut) && t.have > before:
			if err := sleep(ctx, t.again); err != nil {
				return err
			}
		case errors.Is(err, errCut):
			return fmt.Errorf("%w: %s", ErrServer, foreign.Line(errors.Unwrap(err).Error()))
		default:
			return err
		}
	}
	return t.finish()
}

var errPaused = errors.New("waits")

// errCut means that a connection ended too early; it wraps the reason.
var errCut = errors.New("cut")

type cutError struct{ error }

func (e cutError) Unwrap() error        { return e.error }
func (e cutError) Is(err error) bool    { return err == errCut }
func cut(format string, a ...any) error { return cutError{fmt.Errorf(format, a...)} }

// request makes one connection and reads from it.
func (t *transfer) request(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return fmt.Errorf("%w: its address is wrong", ErrServer)
	}
	r.Header.Set("Accept-Encoding", "identity")
	if t.have > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.have))
		if t.etag != "" {
			r.Header.Set("If-Range", t.etag)
		}
	}
	patience := time.AfterFunc(t.stall, cancel)
	defer patience.Stop()
	answer, err := t.http.Do(r)
	if err != nil {
		return cut("%w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if err := t.begin(answer); err != nil {
		return err
	}
	return t.receive(ctx, answer.Body, patience)
}

// begin decides by the answer's header whether the download continues or begins again.
func (t *transfer) begin(a *http.Response) error {
	switch a.StatusCode {
	case http.StatusPartialContent:
		var from, to, size int64
		if n, _ := fmt.Sscanf(a.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); n != 3 || from != t.have || size != t.Size || to < from {
			return t.restart("it answered with another part than was asked for")
		}
		return nil
	case http.StatusOK:
		if a.ContentLength >= 0 && a.ContentLength != t.Size {
			return ErrWrong
		}
		if t.have > 0 {
			if err := t.reset(); err != nil {
				return err
			}
		}
		t.etag = ""
		if e := a.Header.Get("ETag"); strings.HasPrefix(e, `"`) && len(e) < 256 && !strings.ContainsAny(e, "\r\n") {
			t.etag = e
		}
		return t.note()
	case http.StatusRequestedRangeNotSatisfiable:
		return t.restart("it does not have the part that was asked for")
	}
	return cut("it answered %d %s", a.StatusCode, http.StatusText(a.StatusCode))
}

// restart drops the bytes so far, because the server does not continue.
func (t *transfer) restart(why string) error {
	if err := t.reset(); err != nil {
		return err
	}
	return cut("%s", why)
}

// receive writes the body to the file, at the rate and up to the size.
func (t *transfer) receive(ctx context.Context, body io.Reader, patience *time.Timer) error {
	buf := make([]byte, block)
	for t.have < t.Size {
		if t.wait() {
			return errPaused
		}
		patience.Reset(t.stall)
		n, err := io.ReadFull(body, buf[:min(block, t.Size-t.have+1)]) // one more shows what is too long
		patience.Stop()
		if t.have+int64(n) > t.Size {
			return ErrWrong
		}
		if werr := t.write(buf[:n]); werr != nil {
			return werr
		}
		if err != nil && (t.have < t.Size || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)) {
			return cut("%w", err)
		}
		if err == nil && t.rate > 0 {
			if err := sleep(ctx, time.Duration(n)*time.Second/time.Duration(t.rate)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transfer) write(b []byte) error {
	if _, err := t.file.WriteAt(b, t.have); err != nil {
		_ = t.file.Truncate(t.have) // what could not be written whole
		return storage(err)
	}
	t.have += int64(len(b))
	t.show()
	if t.have-t.synced < syncEvery {
		return nil
	}
	t.synced = t.have
	if err := t.file.Sync(); err != nil {
		return storage(err)
	}
	return nil
}

func (t *transfer) show() {
	if p := int(t.have * 100 / t.Size); p != t.percent {
		t.percent = p
		t.progress(p)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
