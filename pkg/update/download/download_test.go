package download_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/update/download"
)

// content returns what the server has: blocks that differ, and no multiple of any.
func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

// server is a web server that can behave badly.
type server struct {
	*httptest.Server
	data    []byte
	etag    string
	noRange bool
	behave  func(w http.ResponseWriter, r *http.Request, n int) bool // reports whether it has answered

	mu       sync.Mutex
	requests []http.Header
}

func serve(t *testing.T, data []byte) *server {
	s := &server{data: data, etag: `"one"`}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Header.Clone())
		n, behave := len(s.requests), s.behave
		s.mu.Unlock()
		if behave != nil && behave(w, r, n) {
			return
		}
		if s.etag != "" {
			w.Header().Set("ETag", s.etag)
		}
		if s.noRange {
			w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
			_, _ = w.Write(s.data) // who goes away is what some tests are about
			return
		}
		http.ServeContent(w, r, "bundle", time.Time{}, bytes.NewReader(s.data))
	}))
	t.Cleanup(s.Close)
	return s
}

// cut sends so many bytes more than was asked to begin with, and breaks the connection.
func (s *server) cut(w http.ResponseWriter, r *http.Request, n int) bool {
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.data)-1, len(s.data)))
	}
	w.Header().Set("ETag", s.etag)
	w.Header().Set("Content-Length", fmt.Sprint(len(s.data)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if from+n >= len(s.data) {
		return false
	}
	_, _ = w.Write(s.data[from : from+n]) // who goes away is what some tests are about
	panic(http.ErrAbortHandler)
}

func (s *server) item(t *testing.T) download.Item {
	sum := sha256.Sum256(s.data)
	return download.Item{URL: s.URL, Path: filepath.Join(t.TempDir(), "bundle"), Size: int64(len(s.data)), SHA256: sum[:]}
}

func (s *server) ranges() (l []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.requests {
		l = append(l, h.Get("Range"))
	}
	return l
}

func fetch(t *testing.T, s *server, item download.Item) error {
	t.Helper()
	return download.Hasty(download.Config{HTTP: s.Client()}, time.Minute).Fetch(t.Context(), item, func(int) {})
}

func whole(t *testing.T, s *server, item download.Item) {
	t.Helper()
	got, err := os.ReadFile(item.Path)
	if err != nil || !bytes.Equal(got, s.data) {
		t.Errorf("the file has %d bytes, %v; want all %d as they are on the server", len(got), err, len(s.data))
	}
	left, err := os.ReadDir(filepath.Dir(item.Path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside it lie %v, %v", left, err)
	}
}

func nothing(t *testing.T, item download.Item) {
	t.Helper()
	if left, err := os.ReadDir(filepath.Dir(item.Path)); err != nil || len(left) != 0 {
		t.Errorf("there lie %v, %v; want nothing", left, err)
	}
}

func TestFetch(t *testing.T) {
	s := serve(t, content(1_000_003))
	item := s.item(t)
	last := -1
	d := download.New(download.Config{HTTP: s.Client()})
	if err := d.Fetch(t.Context(), item, func(p int) {
		if p <= last || p > 100 {
			t.Errorf("progress goes from %d to %d", last, p)
		}
		last = p
	}); err != nil {
		t.Fatal(err)
	}
	whole(t, s, item)
	if last != 100 {
		t.Errorf("progress ended at %d", last)
	}
	if err := d.Fetch(t.Context(), item, func(int) {}); err != nil || len(s.ranges()) != 1 {
		t.Errorf("what is there was asked for again: %v, %q", err, s.ranges())
	}
	if err := d.Remove(item.Path); err != nil {
		t.Fatal(err)
	}
	nothing(t, item)
}

// A connection that is cut at every tenth, and a process that ends there.
func TestInterruptedAtEveryTenth(t *testing.T) {
	const size = 1_000_003
	for tenth := range 10 {
		at := tenth * size / 10
		t.Run(fmt.Sprintf("cut at %d", at), func(t *testing.T) {
			s := serve(t, content(size))
			s.behave = func(w http.ResponseWriter, r *http.Request, n int) bool { return n == 1 && s.cut(w, r, at) }
			item := s.item(t)
			err := fetch(t, s, item)
			if at == 0 { // nothing came: that is for later
				if !errors.Is(err, download.ErrServer) {
					t.Fatalf("Fetch() = %v", err)
				}
				err = fetch(t, s, item)
			}
			if err != nil {
				t.Fatal(err)
			}
			whole(t, s, item)
			if r := s.ranges(); len(r) != 2 || at > 0 && r[1] == "" {
				t.Errorf("asked for %q: want what lacks alone", r)
			}
		})
		t.Run(fmt.Sprintf("ended at %d", at), func(t *testing.T) {
			s := serve(t, content(size))
			item := s.item(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.behave = func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n > 1 {
					return false
				}
				w.Header().Set("ETag", s.etag)
				w.Header().Set("Content-Length", fmt.Sprint(size))
				_, _ = w.Write(s.data[:at]) // the client goes away
				_ = http.NewResponseController(w).Flush()
				if at == 0 {
					cancel()
				}
				<-r.Context().Done()
				return true
			}
			d := download.New(download.Config{HTTP: s.Client()})
			err := d.Fetch(ctx, item, func(p int) {
				if p >= max(1, tenth*10-7) { // the last whole block before the end
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("Fetch() = %v", err)
			}
			if err := fetch(t, s, item); err != nil {
				t.Fatal(err)
			}
			whole(t, s, item)
			if r := s.ranges(); len(r) != 2 || tenth > 0 && r[1] == "" {
				t.Errorf("asked for %q: want what lacks alone", r)
			}
		})
	}
}

func TestBadServers(t *testing.T) {
	const size = 300_007
	for name, c := range map[string]struct {
		behave func(s *server) func(w http.ResponseWriter, r *http.Request, n int) bool
		want   error
	}{
		"wrong bytes": {func(s *server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				bad := bytes.Clone(s.data)
				bad[size/2] ^= 1
				_, _ = w.Write(bad)
				return true
			}
		}, download.ErrWrong},
		"endless": {func(*server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				for {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return true
					}
				}
			}
		}, download.ErrWrong},
		"one byte too many": {func(s *server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				_, _ = w.Write(append(bytes.Clone(s.data), 0))
				return true
			}
		}, download.ErrWrong},
		"another size": {func(*server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				_, _ = w.Write([]byte("<html>Sign in to use this network</html>"))
				return true
			}
		}, download.ErrWrong},
		"silent": {func(*server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(_ http.ResponseWriter, r *http.Request, _ int) bool { <-r.Context().Done(); return true }
		}, download.ErrServer},
		"a byte, then silent": {func(s *server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(size))
					_, _ = w.Write(s.data[:1])
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
				return true
			}
		}, download.ErrServer},
		"not there": {func(*server) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, _ int) bool { http.NotFound(w, r); return true }
		}, download.ErrServer},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(size))
			s.behave = c.behave(s)
			item := s.item(t)
			err := download.Hasty(download.Config{HTTP: s.Client()}, 300*time.Millisecond).Fetch(t.Context(), item, func(int) {})
			if !errors.Is(err, c.want) {
				t.Fatalf("Fetch() = %v, want %v", err, c.want)
			}
			if _, err := os.Stat(item.Path); err == nil {
				t.Error("it counts as complete")
			}
			if errors.Is(c.want, download.ErrWrong) {
				nothing(t, item)
			}
			s.mu.Lock()
			s.behave = nil
			s.mu.Unlock()
			if err := fetch(t, s, item); err != nil {
				t.Fatalf("from a good server: %v", err)
			}
			whole(t, s, item)
		})
	}
}

// Servers that can't or won't go on begin again, and what was there before is not trusted.
func TestResumingOtherwise(t *testing.T) {
	const size = 500_009
	for name, change := range map[string]func(s *server, item download.Item){
		"no ranges":         func(s *server, _ download.Item) { s.noRange = true },
		"another file":      func(s *server, _ download.Item) { s.etag = `"two"` },
		"no ETag any more":  func(s *server, _ download.Item) { s.etag = "" },
		"damaged meanwhile": func(_ *server, item download.Item) { scribble(t, item.Path+".part", 1000) },
		"its note lost":     func(_ *server, item download.Item) { _ = os.Remove(item.Path + ".tag") },
		"too long":          func(s *server, item download.Item) { _ = os.Truncate(item.Path+".part", size+5) },
		"whole, and wrong":  func(s *server, item download.Item) { _ = os.Truncate(item.Path+".part", size) },
		"another part": func(s *server, _ download.Item) {
			s.behave = func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n != 2 {
					return false
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", size-1, size))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(s.data[5:])
				return true
			}
		},
		"ranges refused": func(s *server, _ download.Item) {
			s.behave = func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n == 2 {
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				}
				return n == 2
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(size))
			item := s.item(t)
			s.behave = func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 1 {
					return s.cut(w, r, size/2)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			if err := fetch(t, s, item); !errors.Is(err, download.ErrServer) {
				t.Fatal(err)
			}
			s.mu.Lock()
			s.behave, s.requests = nil, s.requests[:1]
			s.mu.Unlock()
			change(s, item)
			err := fetch(t, s, item)
			if errors.Is(err, download.ErrServer) {
				err = fetch(t, s, item)
			}
			if err != nil {
				t.Fatal(err)
			}
			whole(t, s, item)
		})
	}
}

func scribble(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("scribble"), at)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// What was brought for one release is no part of another.
func TestAnotherReleaseBeginsAnew(t *testing.T) {
	old := serve(t, content(400_000))
	item := old.item(t)
	old.behave = func(w http.ResponseWriter, r *http.Request, n int) bool { return n > 1 || old.cut(w, r, 200_000) }
	_ = fetch(t, old, item) // is cut
	next := serve(t, bytes.Repeat([]byte("next"), 100_000))
	to := next.item(t)
	to.Path = item.Path
	if err := fetch(t, next, to); err != nil {
		t.Fatal(err)
	}
	whole(t, next, to)
	if r := next.ranges(); len(r) != 1 || r[0] != "" {
		t.Errorf("asked for %q", r)
	}
}

// What lies in the way of a file is no reason to fail for ever.
func TestThingsInTheWay(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a folder":         func(p string) error { return os.MkdirAll(filepath.Join(p, "x"), 0o700) },
		"a folder of part": func(p string) error { return os.MkdirAll(filepath.Join(p+".part", "x"), 0o700) },
		"a link":           func(p string) error { return os.Symlink("/etc/passwd", p+".part") },
		"a wrong file":     func(p string) error { return os.WriteFile(p, []byte("wrong"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(100_000))
			item := s.item(t)
			if err := put(item.Path); err != nil {
				t.Fatal(err)
			}
			if err := fetch(t, s, item); err != nil {
				t.Fatal(err)
			}
			whole(t, s, item)
		})
	}
}

func TestRedirectsStayInHTTPS(t *testing.T) {
	s := serve(t, content(100))
	item := s.item(t)
	item.URL = s.URL + "/somewhere"
	d := download.New(download.Config{})
	s.behave = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, "http://127.0.0.1:9/", http.StatusFound)
		return true
	}
	if err := d.Fetch(t.Context(), item, func(int) {}); !errors.Is(err, download.ErrServer) || !strings.Contains(err.Error(), "HTTPS") {
		t.Errorf("Fetch() = %v", err)
	}
}
