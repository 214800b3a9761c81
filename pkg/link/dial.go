package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Bounds in time. connectTime covers name lookup, TCP, TLS and MQTT's CONNECT.
const (
	connectTime = 20 * time.Second
	writeTime   = 5 * time.Second
	answerTime  = 10 * time.Second // for SUBACK and PUBACK
)

// sendBuffer bounds what the kernel holds back on a slow line (it takes up to four
// megabytes else): what comes first must not come after a minute of what was before it.
const sendBuffer = 32 << 10

// dialer opens connections to the broker.
type dialer struct {
	*target
	proxy func(address string) (*url.URL, error) // HTTPS_PROXY and NO_PROXY
}

func newDialer(t *target) *dialer {
	env := httpproxy.FromEnvironment()
	return &dialer{target: t, proxy: func(address string) (*url.URL, error) { return proxyFor(env, address) }}
}

// open connects and makes the TLS handshake.
func (d *dialer) open(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if c, ok := raw.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer) // without it all is only later
	}
	t := tls.Client(raw, d.tlsConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return newConn(d, t), nil
}

// connect opens the TCP connection, through an HTTP proxy if there is one.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	via, err := d.proxy(d.address())
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
