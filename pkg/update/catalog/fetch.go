package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/update/release"
)

const (
	fileTime     = 2 * time.Minute // for one file, so that a slow server can't block a look
	lookTime     = 5 * time.Minute
	maxRedirects = 5
	agent        = "camd"
)

var (
	errTooLarge = errors.New("the file is larger than it may be")
	errRedirect = errors.New("it sends on to another place too often, or without TLS")
	rootName    = regexp.MustCompile(`^([1-9][0-9]{0,17})\.root\.json$`)
)

// secure reports whether nobody on the way can see or change the files: by HTTPS, or on this
// machine.
func secure(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

// careful returns a copy of client that follows only redirections that stay secure.
func careful(client *http.Client) *http.Client {
	c := http.Client{}
	if client != nil {
		c = *client
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		c.Transport = t.Clone() // whose connections are nobody else's
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		leaves := via[0].URL.Scheme == "https" && req.URL.Scheme != "https" // also to this machine's own programs
		if len(via) > maxRedirects || leaves || !secure(req.URL) {
			return errRedirect
		}
		return nil
	}
	return &c
}

// fetcher reads the published files for one look. It is also TUF's fetcher: verified roots come
// from the stored ones, so that a server can't hide one.
type fetcher struct {
	ctx    context.Context
	client *http.Client
	base   *url.URL
	kept   string           // folder of the stored roots
	roots  map[int64][]byte // those that are new
}

// DownloadFile reads one file of TUF metadata.
func (f *fetcher) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	name := filepath.Base(address)
	m := rootName.FindStringSubmatch(name)
	if m == nil {
		return f.get(address, limit)
	}
	if data, err := os.ReadFile(filepath.Join(f.kept, name)); err == nil {
		return data, nil
	}
	data, err := f.get(address, limit)
	var status *metadata.ErrDownloadHTTP
	if errors.As(err, &status) && status.StatusCode == http.StatusForbidden {
		// Object stores answer so if there is no file; a 404 would hide as much.
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: address}
	}
	if version, bad := strconv.ParseInt(m[1], 10, 64); err == nil && bad == nil {
		f.roots[version] = data
	}
	return data, err
}

// log reads a file of the release log.
func (f *fetcher) log(path string, limit int64) ([]byte, error) {
	return f.get(f.base.JoinPath("log", path).String(), limit)
}

// get reads a file of at most limit bytes, in bounded time.
func (f *fetcher) get(address string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(f.ctx, fileTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", release.ErrRefused, err) // a name in it makes no address
	}
	req.Header.Set("User-Agent", agent)
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", release.ErrUnreachable, err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if resp.StatusCode != http.StatusOK {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: resp.StatusCode, URL: address}
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", release.ErrUnreachable, err)
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, nil
}
