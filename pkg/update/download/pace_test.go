package download_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/update/download"
)

// memory is a server without a network, for a bubble.
type memory struct {
	data     []byte
	requests atomic.Int32
}

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.requests.Add(1)
	from := 0
	a := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"one"`}}, Request: r}
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		a.StatusCode = http.StatusPartialContent
		a.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(m.data)-1, len(m.data)))
	}
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(m.data[from:])), int64(len(m.data)-from)
	return a, nil
}

func (m *memory) item(path string) download.Item {
	sum := sha256.Sum256(m.data)
	return download.Item{URL: "https://updates.test/bundle", Path: path, Size: int64(len(m.data)), SHA256: sum[:]}
}

func TestTheRateIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundle")
	synctest.Test(t, func(t *testing.T) {
		m := &memory{data: content(1_000_000)}
		began := time.Now()
		d := download.New(download.Config{HTTP: &http.Client{Transport: m}, Rate: 50_000})
		if err := d.Fetch(t.Context(), m.item(path), func(int) {}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 18*time.Second || took > 21*time.Second { // the bubble's own clock
			t.Errorf("a megabyte at 50 kB/s took %v", took)
		}
	})
}

func TestItWaitsWhileSomeoneWatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundle")
	synctest.Test(t, func(t *testing.T) {
		m := &memory{data: content(1_000_000)}
		var watched atomic.Bool
		d := download.New(download.Config{HTTP: &http.Client{Transport: m}, Rate: 50_000, Wait: watched.Load})
		done := make(chan error, 1)
		go func() { done <- d.Fetch(t.Context(), m.item(path), func(int) {}) }()
		time.Sleep(5 * time.Second)
		watched.Store(true)
		time.Sleep(5 * time.Second)
		before := d.Have(path)
		time.Sleep(time.Hour)
		if have := d.Have(path); have != before || have == 0 || have == 1_000_000 {
			t.Errorf("while someone watched it went from %d to %d bytes", before, have)
		}
		watched.Store(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := m.requests.Load(); n != 2 {
			t.Errorf("%d requests, want one that went on", n)
		}
	})
}

// A full storage is said as such, and room made later lets it go on.
func TestTheStorageIsFull(t *testing.T) {
	const child = "CAMD_TEST_SMALL_STORAGE"
	if dir := os.Getenv(child); dir != "" {
		full(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make a small file system")
	}
	dir := t.TempDir()
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=512k none "$1" && exec "$2" -test.run '^TestTheStorageIsFull$' -test.v`, "sh", dir, os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func full(t *testing.T, dir string) {
	m := &memory{data: content(400_000)}
	item := m.item(filepath.Join(dir, "bundle"))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	d := download.New(download.Config{HTTP: &http.Client{Transport: m}})
	if err := d.Fetch(t.Context(), item, func(int) {}); !errors.Is(err, download.ErrFull) {
		t.Fatalf("Fetch() = %v, want %v", err, download.ErrFull)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := d.Fetch(t.Context(), item, func(int) {}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(item.Path)
	if err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
	if m.requests.Load() != 2 {
		t.Errorf("%d requests", m.requests.Load())
	}
}
