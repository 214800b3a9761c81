package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"slices"
	"time"
)

// Try connects to the broker once with another certificate, and checks that the broker
// carries what the device publishes then. The present session goes on, because this
// connection has an MQTT client identifier of its own. The error is a *Problem as Check
// returns it, or says what is wrong with the certificate.
func (l *Link) Try(ctx context.Context, cert tls.Certificate) error {
	t, err := l.dialer.Load().with(cert)
	if err != nil {
		return err
	}
	t.clientID = passing()
	// The birth, but in other bytes, so that announce does not take it for its own. It is
	// not retained.
	birth := append(slices.Clone(l.birth), ' ')
	if err := connectOnce(ctx, newDialer(t), birth, nil); err != nil {
		return t.explain(err, time.Now())
	}
	return nil
}

// Take makes the link use another certificate, with which Try succeeded, from its next
// connection on. Run reconnects soon, when the present connection has had time to send what
// waits. Sessions of viewers go on.
func (l *Link) Take(cert tls.Certificate) error {
	t, err := l.dialer.Load().with(cert)
	if err != nil {
		return err
	}
	l.dialer.Store(newDialer(t))
	select {
	case l.taken <- struct{}{}:
	default: // Run has not yet looked since the last time
	}
	return nil
}

// cutOlder ends a connection that uses another certificate.
func (l *Link) cutOlder() {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil && c.by != l.dialer.Load() {
		c.cut(errTaken)
	}
}

// passing returns an MQTT client identifier for one connection.
func passing() string {
	b := make([]byte, clientIDSize)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
