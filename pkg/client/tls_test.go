package client

import (
	"crypto/tls"
	"strings"
	"testing"
)

// TLS 1.2 shows the client's certificate, and so whose camera it is, to everyone on
// the way.
func TestNothingOlderThanTLS13IsSpoken(t *testing.T) { // T20
	d, _, keys, r := paired(t)
	l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{must(d.ca.Server("127.0.0.1"))},
		ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12})) //nolint:gosec // that is the attack
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if c.(*tls.Conn).Handshake() == nil {
				t.Error("the handshake was made")
			}
			_ = c.Close()
		}
	}()
	r.Broker.URL = "mqtts://" + l.Addr().String()
	if _, err := Dial(t.Context(), nil, keys, r, quiet); err == nil || !strings.Contains(err.Error(), "does not offer TLS 1.3") {
		t.Errorf("Dial = %v", err)
	}
	_ = l.Close()
	<-done
}
