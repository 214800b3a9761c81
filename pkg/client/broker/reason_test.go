package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhyABrokerCantBeUsed(t *testing.T) {
	pinned := home.Broker{URL: "mqtts://b.example:8883", CA: "CA", Certificate: "c", Key: "k"}
	bare := home.Broker{URL: "mqtts://b.example:8883"}
	server := must(x509.ParseCertificate(must(must(pki.NewCA("Evil CA")).Server("b.example")).Certificate[0]))
	alert := func(code uint8) error {
		return &net.OpError{Op: "remote error", Err: errors.New(tls.AlertError(code).Error())}
	}
	early := func(err error) error {
		return fmt.Errorf("%w : %w", packets.ErrorNetworkError, fmt.Errorf("%w: %w", tlsend.ErrUnheard, err))
	}
	write := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ECONNRESET)}
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, c := range map[string]struct {
		broker home.Broker
		err    error
		want   string
	}{
		"not the pinned":        {pinned, &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{server}, Err: x509.UnknownAuthorityError{Cert: server}}, `issued by "Evil CA", not by the authority that is pinned`},
		"not a public one":      {bare, &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{server}, Err: x509.UnknownAuthorityError{Cert: server}}, "not by any authority that this computer knows"},
		"other name":            {pinned, x509.HostnameError{Certificate: server, Host: "b.example"}, "another name than b.example"},
		"expired":               {pinned, x509.CertificateInvalidError{Cert: server, Reason: x509.Expired}, "not valid now"},
		"other use":             {pinned, x509.CertificateInvalidError{Cert: server, Reason: x509.IncompatibleUsage}, "is not valid"},
		"none, and told":        {bare, early(alert(tlsend.Required)), "wants a certificate, and this client has none. Pair"},
		"none, and reset":       {bare, early(write), "may want a certificate, and this client has none. Pair"},
		"none, and closed":      {bare, early(io.EOF), "may want a certificate, and this client has none. Pair"},
		"refused":               {pinned, early(alert(tlsend.UnknownCA)), "does not accept this client's certificate (unknown certificate authority)"},
		"refused, and reset":    {pinned, early(write), "may not accept this client's certificate"},
		"refused, and closed":   {pinned, early(io.EOF), "may not accept this client's certificate"},
		"expired here":          {pinned, early(alert(tlsend.Expired)), "has expired"},
		"revoked":               {pinned, early(alert(tlsend.Revoked)), "was revoked"},
		"old TLS there":         {pinned, alert(tlsend.ProtocolVersion), "does not offer TLS 1.3"},
		"old TLS here":          {pinned, errors.New("tls: server selected unsupported protocol version 303"), "does not offer TLS 1.3"},
		"closed amid handshake": {pinned, io.EOF, "may not offer TLS 1.3"},
		"no TLS":                {pinned, tls.RecordHeaderError{Msg: "x"}, "does not speak TLS"},
		"no name":               {pinned, dial(&net.DNSError{Name: "b.example", IsNotFound: true}), "no address for b.example"},
		"DNS is silent":         {pinned, dial(&net.DNSError{Name: "b.example", IsTimeout: true}), "DNS does not answer"},
		"nobody listens":        {pinned, dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "nothing listens"},
		"no path":               {pinned, dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no network path"},
		"no network":            {pinned, dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), "no network path"},
		"no answer":             {pinned, dial(os.ErrDeadlineExceeded), "did not answer"},
		"no answer in time":     {pinned, context.DeadlineExceeded, "did not answer"},
		"login":                 {pinned, packets.ErrorRefusedBadUsernameOrPassword, "does not accept this client's login"},
		"not authorised":        {pinned, packets.ErrorRefusedNotAuthorised, "does not accept this client's login"},
		"identifier":            {pinned, packets.ErrorRefusedIDRejected, "does not accept this client's login"},
		"unavailable":           {pinned, packets.ErrorRefusedServerUnavailable, "accepts no clients now"},
		"version":               {pinned, packets.ErrorRefusedBadProtocolVersion, "does not speak MQTT 3.1.1"},
		"frame":                 {pinned, &mqttframe.Error{What: "an unexpected packet"}, "it sent an unexpected packet"},
		"unforeseen":            {pinned, fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.New("the \x1broot"))), "can't be used: the  root."},
	} {
		got := explain(c.broker, c.err).Error()
		if !strings.Contains(got, c.want) || !strings.HasPrefix(got, "The broker mqtts://b.example:8883 ") || !strings.HasSuffix(got, ".") || strings.Contains(got, "..") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		for _, raw := range []string{"tcp", "write", "read ", "remote error", "tls: ", "network Error"} {
			if strings.Contains(got, raw) {
				t.Errorf("%s: %q holds %q", name, got, raw)
			}
		}
	}
}
