package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/link/tlsend"
	"github.com/camd-project/camd/pkg/proto"
)

// A trial ends no session, nor does what it publishes count as the session's.
func TestTrialBesideASession(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		cfg := config(t, s.Devices, s.CA)
		device, err := s.CA.Device(proto.NewDeviceID(), nil)
		cert := linktest.Must(t, device, err)
		r := newRig(t, cfg, s.CA, &cert).run().awaitOnline()
		session := r.link.session.Load()
		if err := Trial(t.Context(), cfg, r.device, Login{Certificate: cert}); err != nil {
			t.Errorf("Trial: %v", err)
		}
		if r.link.session.Load() != session || !r.link.online.Load() {
			t.Error("the session ended")
		}
	})
}

// What a device was told in memory is what a file would say.
func TestAuthorityInMemory(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		cfg := config(t, s.Devices, s.CA)
		id := proto.NewDeviceID()
		device, err := s.CA.Device(id, nil)
		cert := linktest.Must(t, device, err)
		cfg.CA, cfg.CAText = "/nowhere", string(s.CA.PEM())
		if err := Trial(t.Context(), cfg, id, Login{Certificate: cert}); err != nil {
			t.Errorf("Trial: %v", err)
		}
		cfg.CAText = string(linktest.NewCA(t, "other").PEM())
		var p *Problem
		if err := Trial(t.Context(), cfg, id, Login{Certificate: cert}); !errors.As(err, &p) || p.Code() != proto.CodeBrokerCertificate {
			t.Errorf("another authority: %v", err)
		}
		cfg.CAText = "nothing"
		if err := Trial(t.Context(), cfg, id, Login{Certificate: cert}); err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
			t.Errorf("no authority: %v", err)
		}
		if err := Trial(t.Context(), cfg, proto.NewDeviceID(), Login{Certificate: cert}); err == nil {
			t.Error("tried with another device's certificate")
		}
	})
}

func TestProblemsHaveCodes(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	verify := func(err error) error {
		return fmt.Errorf("%w: %w", errHandshake, &tls.CertificateVerificationError{Err: err})
	}
	now := time.Now()
	later := &x509.Certificate{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}
	over := &x509.Certificate{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}
	for _, c := range []struct {
		cause error
		want  proto.Code
	}{
		{verify(x509.CertificateInvalidError{Cert: later, Reason: x509.Expired}), proto.CodeClockWrong},
		{verify(x509.CertificateInvalidError{Cert: over, Reason: x509.Expired}), proto.CodeBrokerCertificate},
		{verify(x509.CertificateInvalidError{Cert: over, Reason: x509.IncompatibleUsage}), proto.CodeBrokerCertificate},
		{verify(x509.UnknownAuthorityError{}), proto.CodeBrokerCertificate},
		{verify(x509.HostnameError{Certificate: over}), proto.CodeBrokerCertificate},
		{alert(tlsend.UnknownCA), proto.CodeCertificate},
		{alert(tlsend.Expired), proto.CodeCertificate},
		{alert(tlsend.Required), proto.CodeCertificate},
		{alert(tlsend.ProtocolVersion), proto.CodeBrokerRefused},
		{dial(&net.DNSError{IsNotFound: true}), proto.CodeBrokerUnreachable},
		{dial(&net.DNSError{IsTimeout: true}), proto.CodeNoInternet},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), proto.CodeNoInternet},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), proto.CodeBrokerUnreachable},
		{dial(os.ErrDeadlineExceeded), proto.CodeBrokerUnreachable},
		{fmt.Errorf("%w: %w", errHandshake, context.DeadlineExceeded), proto.CodeBrokerUnreachable},
		{fmt.Errorf("%w: no", errProxy), proto.CodeBrokerUnreachable},
		{fmt.Errorf("%w: %w", errHandshake, io.EOF), proto.CodeBrokerRefused},
		{packets.ErrorRefusedNotAuthorised, proto.CodeBrokerRefused},
		{errSubscribe, proto.CodeBrokerRefused},
		{errMute, proto.CodeBrokerRefused},
	} {
		if got := (&Problem{cause: c.cause}).Code(); got != c.want {
			t.Errorf("%v: %s, want %s", c.cause, got, c.want)
		}
	}
}

type nobody struct{}

func (nobody) Account(proto.ClientID) (string, bool)           { return "", false }
func (nobody) Receive(context.Context, proto.ClientID, []byte) {}
func (nobody) Online()                                         {}

// A device without a broker is offline, and says why.
func TestWaiting(t *testing.T) {
	board := health.NewBoard(slog.New(slog.DiscardHandler))
	l := Waiting("Not set up yet.", board)
	l.Deliver(nobody{})
	ctx, cancel := context.WithCancel(t.Context())
	if err := l.Run(ctx, cancel); err != nil {
		t.Error(err)
	}
	if s := board.Snapshot()[0]; s.Name != "broker" || s.State != health.Degraded || s.Reason != "Not set up yet." {
		t.Errorf("%+v", s)
	}
	who := proto.ClientID(strings.Repeat("a", 43))
	if err := l.Send(who, []byte("x")); !errors.Is(err, ErrOffline) {
		t.Errorf("Send: %v", err)
	}
	if err := l.Notify(who, []byte("x"), nil); !errors.Is(err, ErrOffline) {
		t.Errorf("Notify: %v", err)
	}
}
