package catalog_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/release"
)

// pipes is a network of which every connection is a pair of pipes: time on it is that of
// the test.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// against has f look at a server that answers with h.
func against(t *testing.T, s *publishtest.Site, h http.HandlerFunc, f func(t *testing.T, c *catalog.Catalog)) {
	t.Helper()
	cfg := s.Config("1.0.0")
	synctest.Test(t, func(t *testing.T) {
		network := pipes(make(chan net.Conn))
		server := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
		go func() { _ = server.Serve(network) }() // it ends with the network
		transport := &http.Transport{DialContext: network.dial}
		cfg.URL, cfg.HTTP = "http://127.0.0.1", &http.Client{Transport: transport}
		c, err := catalog.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		f(t, c)
		transport.CloseIdleConnections()
		close(network)
		_ = server.Close()
		time.Sleep(time.Hour) // virtual: until the last handler has woken up
		synctest.Wait()
	})
}

// A server that sends a byte now and then holds nobody for longer than one file may
// take. Time is the bubble's.
func TestSlowData(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, h := range map[string]http.HandlerFunc{"by single bytes": drip, "not at all": silent} {
		t.Run(name, func(t *testing.T) {
			against(t, publishtest.New(t), h, func(t *testing.T, c *catalog.Catalog) {
				began := time.Now()
				_, err := c.Latest(t.Context())
				if !errors.Is(err, release.ErrUnreachable) || err.Error() != "The update server is too slow: a file did not come within two minutes. It is tried again later." {
					t.Errorf("%v", err)
				}
				if d := time.Since(began); d != 2*time.Minute { // virtual
					t.Errorf("it was held for %v", d)
				}
			})
		})
	}
}

// One that answers each file just in time can't hold a look for ever.
func TestManySlowFiles(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	root, err := metadata.Root().FromBytes(s.Read("metadata/1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		root.Signed.Version++
		s.ForgeRoot(root, "root-1", "root-2")
	}
	files := http.FileServer(http.Dir(s.Dir))
	against(t, s, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2*time.Minute - time.Second)
		files.ServeHTTP(w, r)
	}, func(t *testing.T, c *catalog.Catalog) {
		began := time.Now()
		if _, err := c.Latest(t.Context()); !errors.Is(err, release.ErrUnreachable) {
			t.Errorf("%v", err)
		}
		if d := time.Since(began); d != 5*time.Minute { // virtual
			t.Errorf("it was held for %v", d)
		}
	})
}
