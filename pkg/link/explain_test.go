package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
)

func named(cn, issuer string, from, to time.Time) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: cn}, Issuer: pkix.Name{CommonName: issuer}, NotBefore: from, NotAfter: to}
}

// selfSigned returns the certificate of an authority.
func selfSigned(t *testing.T) *x509.Certificate {
	t.Helper()
	ca, err := pki.NewCA("Evil CA")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ca.PEM())
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// alert returns how crypto/tls reports an alert of the peer.
func alert(code uint8) error {
	return &net.OpError{Op: "remote error", Err: errors.New(tls.AlertError(code).Error())}
}

func TestExplain(t *testing.T) {
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	now := time.Date(2026, 6, 1, 12, 30, 0, 0, time.UTC)
	boot := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	x := &target{host: "b.example", port: "8883", serverName: "b.example", authority: `"Home CA" in /etc/camd/ca.crt`, leaf: named("dev1", "Home CA", from, to)}
	server := named("b.example", "Evil CA", from, to)
	server.DNSNames, server.IPAddresses = []string{"c.example", "d.example"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	verify := func(err error) error {
		return fmt.Errorf("%w: %w", errHandshake, &tls.CertificateVerificationError{Err: err})
	}
	chain := func(err error, shown ...*x509.Certificate) error {
		return fmt.Errorf("%w: %w", errHandshake, &tls.CertificateVerificationError{Err: err, UnverifiedCertificates: shown})
	}
	root := selfSigned(t)
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	during := func(phase, err error) error { return fmt.Errorf("%w: %w", phase, err) }
	lost := func(err error) error { return fmt.Errorf("%w : %w", packets.ErrorNetworkError, err) } // as the library wraps

	for name, c := range map[string]struct {
		err  error
		now  time.Time
		want []string
	}{
		"not trusted":          {verify(x509.UnknownAuthorityError{Cert: server}), now, []string{"not trusted", `issued by "Evil CA"`, `trusts "Home CA" in /etc/camd/ca.crt`, "Set ca"}},
		"self-signed":          {verify(x509.UnknownAuthorityError{Cert: root}), now, []string{"issued by itself"}},
		"a chain to its root":  {chain(x509.UnknownAuthorityError{Cert: root}, server, root), now, []string{`issued by "Evil CA"`}},
		"two of one name":      {verify(x509.UnknownAuthorityError{Cert: named("a", "a", from, to)}), now, []string{`issued by "a"`}},
		"unknown issuer":       {verify(x509.UnknownAuthorityError{}), now, []string{"an unknown authority"}},
		"other name":           {verify(x509.HostnameError{Certificate: server, Host: "b.example"}), now, []string{`is for "c.example", "d.example", 10.0.0.1`, `not for "b.example"`, "server_name"}},
		"no name":              {verify(x509.HostnameError{Certificate: named("b", "c", from, to), Host: "b.example"}), now, []string{"no host name at all"}},
		"expired":              {verify(x509.CertificateInvalidError{Cert: server, Reason: x509.Expired}), to.Add(time.Hour), []string{"expired on 2027-01-01 00:00 UTC", "clock reads 2027-01-01 01:00 UTC", "Renew"}},
		"not yet valid":        {verify(x509.CertificateInvalidError{Cert: server, Reason: x509.Expired}), boot, []string{"valid only from 2026-01-01 00:00 UTC", "clock reads 1970-01-01.", "as soon as the clock is set"}},
		"other use":            {verify(x509.CertificateInvalidError{Cert: server, Reason: x509.IncompatibleUsage}), now, []string{"can't be used"}},
		"a key that fails":     {during(errHandshake, errors.New(unsigned+"there is no TPM")), now, []string{"can't log in to the broker b.example:8883, since its key can't sign: there is no TPM."}},
		"refused":              {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), now, []string{"Nothing listens on b.example:8883"}},
		"no route":             {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), now, []string{"no network path"}},
		"no network":           {dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), now, []string{"no network path"}},
		"unknown name":         {dial(&net.DNSError{Name: "b.example", IsNotFound: true}), now, []string{"b.example is not known to DNS"}},
		"DNS silent":           {dial(&net.DNSError{Name: "b.example", IsTimeout: true}), now, []string{"DNS does not answer"}},
		"dial time-out":        {dial(os.ErrDeadlineExceeded), now, []string{"does not answer", "firewall"}},
		"context time-out":     {during(errHandshake, context.DeadlineExceeded), now, []string{"does not answer"}},
		"no TLS":               {during(errHandshake, tls.RecordHeaderError{Msg: "x"}), now, []string{"does not speak TLS", "port"}},
		"EOF in handshake":     {during(errHandshake, io.EOF), now, []string{"during the TLS handshake", "TLS 1.3"}},
		"old TLS":              {during(errHandshake, alert(tlsend.ProtocolVersion)), now, []string{"does not offer TLS 1.3"}},
		"unknown client CA":    {lost(during(tlsend.ErrUnheard, alert(tlsend.UnknownCA))), now, []string{`refuses the device's certificate "dev1"`, `its issuer "Home CA"`}},
		"client expired":       {lost(during(tlsend.ErrUnheard, alert(tlsend.Expired))), to.Add(240 * time.Hour), []string{"as expired", "to 2027-01-01 00:00 UTC", "clock reads 2027-01-11."}},
		"client revoked":       {lost(during(tlsend.ErrUnheard, alert(tlsend.Revoked))), now, []string{"revoked"}},
		"client bad":           {lost(during(tlsend.ErrUnheard, alert(tlsend.BadCertificate))), now, []string{"refuses the device's certificate", "bad certificate", "broker's log"}},
		"client required":      {lost(during(tlsend.ErrUnheard, alert(tlsend.Required))), now, []string{"refuses the device's certificate", "certificate required"}},
		"other alert":          {lost(alert(80)), now, []string{"ended TLS", "internal error"}},
		"closed early":         {lost(during(tlsend.ErrUnheard, io.EOF)), now, []string{"without a reason", `"dev1"`, "broker's log"}},
		"reset early":          {lost(during(tlsend.ErrUnheard, os.NewSyscallError("read", syscall.ECONNRESET))), now, []string{"without a reason"}},
		"closed later":         {io.EOF, now, []string{"closed the connection."}},
		"not authorised":       {packets.ErrorRefusedNotAuthorised, now, []string{`does not authorise the device's certificate "dev1"`}},
		"bad login":            {packets.ErrorRefusedBadUsernameOrPassword, now, []string{"does not authorise"}},
		"identifier":           {packets.ErrorRefusedIDRejected, now, []string{`identifier of "dev1"`, "22 characters"}},
		"unavailable":          {packets.ErrorRefusedServerUnavailable, now, []string{"accepts no clients now"}},
		"version":              {packets.ErrorRefusedBadProtocolVersion, now, []string{"does not speak MQTT 3.1.1"}},
		"subscription":         {errSubscribe, now, []string{"topic rules"}},
		"ping":                 {errors.New("pingresp not received, disconnecting"), now, []string{"stopped answering"}},
		"silent":               {errSilent, now, []string{"stopped answering"}},
		"frame":                {lost(&mqttframe.Error{What: "an unexpected packet"}), now, []string{"violates MQTT 3.1.1: it sent an unexpected packet"}},
		"proxy refused":        {during(errProxy, dial(os.NewSyscallError("connect", syscall.ECONNREFUSED))), now, []string{"proxy in HTTPS_PROXY", "connection refused"}},
		"proxy says no":        {during(errProxy, errors.New(`it answered "403 Forbidden"`)), now, []string{"403 Forbidden"}},
		"proxy scheme":         {during(errProxy, errors.New("its address begins with socks5://")), now, []string{"its address begins with socks5://"}},
		"stopping":             {errStopping, now, []string{"camd is stopping"}},
		"something unforeseen": {fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.New("the root"))), now, []string{"failed: the root."}},
	} {
		p := x.explain(c.err, c.now)
		if !containsAll(p.Sentence, c.want) {
			t.Errorf("%s: %q, want %q", name, p.Sentence, c.want)
		}
		if !strings.HasSuffix(p.Sentence, ".") || strings.Contains(p.Sentence, "%!") || strings.Contains(p.Sentence, "..") {
			t.Errorf("%s: %q is no sentence", name, p.Sentence)
		}
		if !errors.Is(p, c.err) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
}
