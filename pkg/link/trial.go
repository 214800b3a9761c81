package link

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/link/tlsend"
	"github.com/camd-project/camd/pkg/proto"
)

// Trial connects once as Check does, with settings that are not in use yet. A session of
// the device goes on, because this connection has an MQTT client identifier of its own.
// The error is a *Problem, or says what is wrong with the settings.
func Trial(ctx context.Context, cfg Config, device proto.DeviceID, login Login) error {
	t, err := newTarget(cfg, login)
	if err != nil {
		return err
	}
	if err := t.belongsTo(device); err != nil {
		return err
	}
	t.clientID = passing()
	// The blank distinguishes it from what a session of this device may publish.
	if err := connectOnce(ctx, newDialer(t), []byte(`{"online":false} `), nil); err != nil {
		return t.explain(err, time.Now())
	}
	return nil
}

// Code returns the problem's code for setting a device up. docs/protocol.md 3.11.
func (p *Problem) Code() proto.Code {
	var (
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		dns     *net.DNSError
		timeout net.Error
	)
	switch err := p.cause; {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return proto.CodeClockWrong
	case errors.As(err, &host), errors.As(err, &unknown), errors.As(err, &invalid):
		return proto.CodeBrokerCertificate
	case tlsend.Alert(err) != 0:
		if a := tlsend.Alert(err); a == tlsend.ProtocolVersion || a == tlsend.HandshakeFailure {
			return proto.CodeBrokerRefused
		}
		return proto.CodeCertificate
	case errors.As(err, &dns) && !dns.IsNotFound, errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return proto.CodeNoInternet
	case errors.As(err, &dns), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, errProxy),
		errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return proto.CodeBrokerUnreachable
	}
	return proto.CodeBrokerRefused // it is there, and does not do what a broker must
}
