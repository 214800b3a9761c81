package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"slices"
	"time"
)

// Try connects to the broker once with another certificate, and sees whether the broker
// carries what the device publishes then. The session that there is goes on: this
// connection has an MQTT client identifier of its own. The error is a *Problem as Check
// has it, or says what is wrong with the certificate.
func (l *Link) Try(ctx context.Context, cert tls.Certificate) error {
	t, err := l.dialer.Load().with(cert)
	if err != nil {
		return err
	}
	t.clientID = passing()
	// The birth as every member knows it, in other bytes, so that announce does not take
	// it for its own. It is not retained.
	birth := append(slices.Clone(l.birth), ' ')
	if err := connectOnce(ctx, newDialer(t), birth, nil); err != nil {
		return t.explain(err, time.Now())
	}
	return nil
}

// Take has the link show another certificate, with which Try went well, from its next
// connection on. Run makes that at once, when the present one has had time to carry what
// waits for it. Sessions of viewers go on.
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

// cutOlder ends a connection that another certificate was shown for.
func (l *Link) cutOlder() {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil && c.by != l.dialer.Load() {
		c.cut(errTaken)
	}
}

// passing is an MQTT client identifier for one connection.
func passing() string {
	b := make([]byte, clientIDSize)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
