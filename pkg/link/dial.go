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

// Time limits. connectTime covers name lookup, TCP, TLS and MQTT's CONNECT.
const (
	connectTime = 20 * time.Second
	writeTime   = 5 * time.Second
	answerTime  = 10 * time.Second // for SUBACK and PUBACK
)

// sendBuffer bounds what the kernel buffers for a slow line, which is up to four megabytes
// otherwise: a notice must not wait a minute behind what was sent before it.
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

// open connects and does the TLS handshake.
func (d *dialer) open(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if c, ok := raw.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer) // if it fails, notices are only later
	}
	t := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    d.roots,
		ServerName: d.serverName,
		// Shown whatever authorities the broker lists, so that a broker which
		// does not accept it says why instead of "certificate required".
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &d.cert, nil },
	})
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
