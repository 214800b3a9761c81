package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

func TestNewRefusesWithASentence(t *testing.T) {
	ca := linktest.NewCA(t, "test")
	device := proto.NewDeviceID()
	made, err := ca.Device(device, nil)
	good := linktest.Must(t, made, err)
	made, err = ca.Device(proto.NewDeviceID(), nil)
	other := linktest.Must(t, made, err)
	swapped := good
	swapped.PrivateKey = other.PrivateKey
	keyless := good
	keyless.PrivateKey = nil
	notPEM := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := config(t, "b.example:8883", ca)
	with := func(change func(*Config)) Config { c := base; change(&c); return c }
	broker := func(s string) Config { return with(func(c *Config) { c.Broker = s }) }

	for name, c := range map[string]struct {
		cfg    Config
		cert   tls.Certificate
		device proto.DeviceID
		want   string // empty: accepted
	}{
		"good":              {base, good, device, ""},
		"port left out":     {broker("mqtts://b.example"), good, device, ""},
		"IPv6":              {broker("mqtts://[::1]:8883/"), good, device, ""},
		"public authority":  {with(func(c *Config) { c.CA = "" }), good, device, ""},
		"no broker":         {broker(""), good, device, "broker is empty"},
		"browsers' address": {with(func(c *Config) { c.WebBroker = "ws://b.example" }), good, device, "web_broker = \"ws://b.example\": give it as wss://"},
		"browsers' user":    {with(func(c *Config) { c.WebBroker = "wss://u@b.example" }), good, device, "without a user"},
		"viewers' address":  {with(func(c *Config) { c.ViewerBroker = "http://b.example" }), good, device, "viewer_broker = \"http://b.example\": it must begin with mqtts://"},
		"plain MQTT":        {broker("mqtt://b.example"), good, device, "must begin with mqtts://"},
		"no scheme":         {broker("b.example:8883"), good, device, "broker ="},
		"no host":           {broker("mqtts://:8883"), good, device, "names no host"},
		"user":              {broker("mqtts://u:secret@b.example"), good, device, "holds a user name"},
		"path":              {broker("mqtts://b.example/mqtt"), good, device, "nothing may follow"},
		"not an address":    {broker("mqtts://b.example:port"), good, device, "is not an address"},
		"keep-alive":        {with(func(c *Config) { c.KeepaliveSeconds = 1 }), good, device, "keepalive_seconds = 1"},
		"no CA file":        {with(func(c *Config) { c.CA = "/nonexistent/ca.crt" }), good, device, "/nonexistent/ca.crt"},
		"CA not PEM":        {with(func(c *Config) { c.CA = notPEM }), good, device, "holds no PEM certificate"},
		"no certificate":    {base, tls.Certificate{}, device, "has no certificate"},
		"no key":            {base, keyless, device, "without a private key"},
		"other key":         {base, swapped, device, "for another key"},
		"other device":      {base, other, device, "but this device is"},
		"not an identifier": {base, good, "camera", "is no device identifier"},
	} {
		l, err := New(c.cfg, slog.New(slog.DiscardHandler), health.NewBoard(slog.New(slog.DiscardHandler)), c.device, proto.Status{Online: true, Version: "1"}, Login{Certificate: c.cert})
		if c.want == "" {
			if err != nil || l.String() != "link" {
				t.Errorf("%s: New() = %v, %v", name, l, err)
			}
			continue
		}
		if err == nil || !containsAll(err.Error(), []string{c.want}) {
			t.Errorf("%s: New() = %v, want %q", name, err, c.want)
		}
		if err != nil && containsAll(err.Error(), []string{"secret"}) {
			t.Errorf("%s: %v shows a password", name, err)
		}
	}
}

// proxyServer returns an HTTP proxy that answers CONNECT with status and then passes
// bytes on to nowhere.
func proxyServer(t *testing.T, answer string, seen chan<- *http.Request) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		seen <- r
		_, _ = c.Write([]byte(answer))
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String(), User: url.UserPassword("me", "pw")}
}

func TestProxy(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		words  []string // of the sentence; none: the tunnel stands
	}{
		"connects":    {"HTTP/1.1 200 Connection established\r\n\r\n", nil},
		"refuses":     {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", []string{"proxy", "403 Forbidden"}},
		"no HTTP":     {"hello\r\n", []string{"proxy"}},
		"says more":   {"HTTP/1.1 200 OK\r\n\r\n220 smtp", []string{"proxy", "more than an answer"}},
		"says little": {"HTTP/1.1", []string{"proxy"}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan *http.Request, 1)
			via := proxyServer(t, c.answer, seen)
			d := &dialer{target: &target{host: "b.example", port: "8883"}, proxy: func(string) (*url.URL, error) { return via, nil }}
			conn, err := d.connect(context.Background())
			if r := <-seen; r.Method != http.MethodConnect || r.Host != "b.example:8883" || r.Header.Get("Proxy-Authorization") != "Basic bWU6cHc=" {
				t.Errorf("the proxy was asked %s %s %v", r.Method, r.Host, r.Header)
			}
			if c.words == nil {
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				return
			}
			if err == nil {
				t.Fatal("the tunnel stands")
			}
			if s := d.explain(err, time.Time{}).Sentence; !errors.Is(err, errProxy) || !containsAll(s, c.words) {
				t.Errorf("%q, want %q", s, c.words)
			}
		})
	}
}
