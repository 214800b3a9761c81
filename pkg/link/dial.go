package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Bounds in time. connectTime covers name lookup, TCP, TLS and MQTT's CONNECT.
const (
	connectTime = 20 * time.Second
	writeTime   = 5 * time.Second
	answerTime  = 10 * time.Second // for SUBACK and PUBACK
)

const maxProxyAnswer = 8 << 10 // bytes of a proxy's response header

// dialer opens connections to the broker.
type dialer struct {
	*target
	proxy func(*http.Request) (*url.URL, error) // HTTPS_PROXY and NO_PROXY
}

func newDialer(t *target) *dialer { return &dialer{target: t, proxy: http.ProxyFromEnvironment} }

// open connects and makes the TLS handshake.
func (d *dialer) open(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	t := tls.Client(raw, d.tlsConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return newConn(t), nil
}

// connect opens the TCP connection, through an HTTP proxy if there is one.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	via, err := d.proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: d.address()}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxy, err)
	}
	tcp := net.Dialer{Control: userTimeout(d.keepalive * 3 / 2)}
	if via == nil {
		return tcp.DialContext(ctx, "tcp", d.address())
	}
	if via.Scheme != "http" {
		return nil, fmt.Errorf("%w: %w", errProxy, fmt.Errorf("its address begins with %s:// and only http:// is spoken", via.Scheme))
	}
	port := via.Port()
	if port == "" {
		port = "80"
	}
	c, err := tcp.DialContext(ctx, "tcp", net.JoinHostPort(via.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxy, err)
	}
	if err := tunnel(ctx, c, d.address(), via.User); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%w: %w", errProxy, err)
	}
	return c, nil
}

// tunnel asks an HTTP proxy to connect c to address. RFC 9110, 9.3.6.
func tunnel(ctx context.Context, c net.Conn, address string, user *url.Userinfo) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		login := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		r.Header.Set("Proxy-Authorization", "Basic "+login)
	}
	if err := r.Write(c); err != nil {
		return fmt.Errorf("write CONNECT: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(c, maxProxyAnswer))
	answer, err := http.ReadResponse(in, r)
	if err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %q", answer.Status)
	}
	if in.Buffered() > 0 { // a TLS server waits for the client to begin
		return errors.New("it sent more than an answer")
	}
	return nil
}
