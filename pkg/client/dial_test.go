package client

import (
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/linktest"
)

// TestWithoutACertificate dials brokers that want one, again and again: whether the
// refusal is read or the connection is reset before is up to the kernel.
func TestWithoutACertificate(t *testing.T) {
	_, _, keys, r := paired(t)
	r.Broker.Certificate, r.Broker.Key = "", ""
	try := func(t *testing.T, r home.Record) {
		for range 40 {
			_, err := Dial(t.Context(), nil, keys, r, quiet)
			if err == nil || !strings.Contains(err.Error(), "a certificate, and this client has none. Pair, or add the camera card, with --broker-cert and --broker-key.") {
				t.Fatalf("Dial = %v", err)
			}
		}
	}
	t.Run("embedded", func(t *testing.T) { try(t, r) })
	t.Run("mosquitto", func(t *testing.T) {
		s := linktest.Mosquitto(t, "../../docs/mosquitto")
		r.Broker.URL, r.Broker.CA = "mqtts://"+s.Viewers, string(s.CA.PEM())
		try(t, r)
	})
}
