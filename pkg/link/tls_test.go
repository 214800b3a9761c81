package link

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

// TLS 1.2 shows the device's certificate, and so its name, to everyone on the way.
func TestNothingOlderThanTLS13IsSpoken(t *testing.T) { // T20
	ca := linktest.NewCA(t, "old")
	server, err := ca.Server("127.0.0.1")
	old := &tls.Config{Certificates: []tls.Certificate{linktest.Must(t, server, err)},
		ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12} //nolint:gosec // that is the attack
	cfg := config(t, linktest.Script(t, old, func(c net.Conn) { t.Errorf("the handshake was made: %v", c.RemoteAddr()) }), ca)
	device, err := ca.Device(proto.NewDeviceID(), nil)
	if err := Check(context.Background(), cfg, Login{Certificate: linktest.Must(t, device, err)}); err == nil || !strings.Contains(err.Error(), "does not offer TLS 1.3") {
		t.Errorf("Check = %v", err)
	}
}
