// Package linktest gives tests of pkg/link, and of what uses it, a broker on
// loopback with faults: the embedded broker or Debian's mosquitto, which can be
// stopped and started again on the same port, a proxy that drops or swallows
// connections, and a broker that says whatever a test makes it say.
//
// Everything ends with the test that asked for it.
package linktest

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// Patience is how long something that should happen is waited for. It bounds a
// failing test only.
const Patience = 60 * time.Second

// Server is a broker that can be stopped and started again on the same port.
type Server struct {
	CA      *pki.CA // signs the broker's and all clients' certificates
	Devices string  // host:port for devices
	Viewers string  // host:port for viewers; may be the same

	tb    testing.TB
	allow func(proto.ClientID, proto.DeviceID) // nil: the broker needs no entry
	start func(cert tls.Certificate) (stop func())
	stop  func() // nil while it is stopped
}

// NewCA returns an authority or ends the test.
func NewCA(tb testing.TB, name string) *pki.CA {
	tb.Helper()
	ca, err := pki.NewCA(name)
	if err != nil {
		tb.Fatal(err)
	}
	return ca
}

// Must ends the test if a certificate could not be made.
func Must(tb testing.TB, cert tls.Certificate, err error) tls.Certificate {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// Embedded starts the embedded broker.
func Embedded(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{CA: NewCA(tb, "embedded"), tb: tb}
	address := "127.0.0.1:0"
	s.start = func(cert tls.Certificate) func() {
		var b *broker.Broker
		var err error
		Until(tb, "the embedded broker listens", func() bool { // the old port may be in use for a moment
			b, err = broker.Start(broker.Config{Address: address, TLS: &tls.Config{
				Certificates: []tls.Certificate{cert}, ClientCAs: s.CA.Pool(),
			}})
			return err == nil
		})
		address = b.Address()
		s.Devices, s.Viewers = address, address
		return func() {
			if err := b.Close(); err != nil {
				tb.Error(err)
			}
		}
	}
	s.Start()
	return s
}

// Start starts a stopped broker with a good certificate.
func (s *Server) Start() {
	s.tb.Helper()
	cert, err := s.CA.Server("127.0.0.1", "localhost")
	s.StartWith(Must(s.tb, cert, err))
}

// StartWith starts a stopped broker with a certificate of the test's choice.
func (s *Server) StartWith(cert tls.Certificate) {
	s.tb.Helper()
	s.stop = s.start(cert)
	s.tb.Cleanup(s.Stop)
}

// Stop ends the broker; nothing happens if it is stopped already.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Device makes a device's certificate.
func (s *Server) Device(id proto.DeviceID) tls.Certificate {
	s.tb.Helper()
	cert, err := s.CA.Device(id, nil)
	return Must(s.tb, cert, err)
}

// Allow has the broker show a client the status of a device.
func (s *Server) Allow(id proto.ClientID, device proto.DeviceID) {
	s.tb.Helper()
	if s.allow != nil {
		s.allow(id, device)
	}
}

// Until waits until ok is true, and ends the test if that takes too long.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited too long until %s", what)
		}
	}
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
