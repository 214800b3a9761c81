package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/gorilla/websocket"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
)

// explain returns a sentence that says why the broker can't be used.
func explain(b home.Broker, err error) error {
	var p *home.Problem
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return err
	}
	for _, reason := range []func(home.Broker, error) string{loginReason, certificateReason, alertReason, networkReason} {
		if s := reason(b, err); s != "" {
			return home.NewProblem(err, "The broker %s %s.", b.URL, s)
		}
	}
	return home.NewProblem(err, "The broker %s can't be used: %s.", b.URL, home.Printable(tlsend.Root(err).Error()))
}

// loginReason explains MQTT's CONNACK. MQTT 3.1.1, 3.2.2.3.
func loginReason(_ home.Broker, err error) string {
	var frame *mqttframe.Error
	switch {
	case errors.As(err, &frame):
		return "violates MQTT 3.1.1: it sent " + frame.What + ". Ask its operator"
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised), errors.Is(err, packets.ErrorRefusedIDRejected):
		return "does not accept this client's login. Ask its operator"
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return "accepts no clients now. Try again later"
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return "does not speak MQTT 3.1.1. Ask its operator"
	}
	return ""
}

// certificateReason explains what this client does not accept.
func certificateReason(b home.Broker, err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		pinned := "the authority that is pinned"
		if b.CA == "" {
			pinned = "any authority that this computer knows"
		}
		return fmt.Sprintf("shows a certificate that was issued by %s, not by %s; it may be another broker than the one you paired with",
			home.Printable(tlsend.Issuer(cmp.Or(tlsend.Leaf(err), authority.Cert))), pinned)
	case errors.As(err, &name):
		return "shows a certificate for another name than " + serverName(b) + ". Name the right one with --broker-name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "shows a certificate that is not valid now; look at its dates and at this computer's clock"
	case errors.As(err, &invalid):
		return "shows a certificate that is not valid: " + invalid.Error()
	}
	return ""
}

// alertReason explains what the broker does not accept, and guesses where it closed the
// connection without a reason.
func alertReason(b home.Broker, err error) string {
	code := tlsend.Alert(err)
	silent := tlsend.Closed(err) && errors.Is(err, tlsend.ErrUnheard)
	switch {
	case code == 0 && !silent:
		return ""
	case code == tlsend.ProtocolVersion, code == tlsend.HandshakeFailure:
		return "does not offer TLS 1.3"
	case b.Certificate == "" && silent:
		return "did not accept this client; it may want a certificate, and this client has none. " + nameCertificate
	case b.Certificate == "":
		return "wants a certificate, and this client has none. " + nameCertificate
	case silent:
		return "ended the connection without a reason before it accepted this client. It may not accept this client's certificate; ask its operator"
	case code == tlsend.Expired:
		return "says that this client's certificate has expired. Have a new one made"
	case code == tlsend.Revoked:
		return "says that this client's certificate was revoked. Have a new one made"
	}
	return "does not accept this client's certificate (" + tlsend.Text(code) + "). Ask its operator"
}

const nameCertificate = "Pair, or add the camera card, with --broker-cert and --broker-key"

// networkReason explains name lookup, TCP, and answers that are not TLS.
func networkReason(_ home.Broker, err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "can't be found: there is no address for " + dns.Name
	case errors.As(err, &dns):
		return "can't be found: DNS does not answer. Check the network"
	case errors.Is(err, websocket.ErrBadHandshake):
		return "answers, but not as a broker over WebSocket. Check the address, its path too"
	case errors.As(err, &record):
		return "does not speak TLS. Check the port"
	case strings.Contains(err.Error(), "protocol version"): // of crypto/tls here
		return "does not offer TLS 1.3"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "can't be reached: nothing listens at that address"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return "can't be reached: there is no network path to it"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "can't be reached: it did not answer"
	case tlsend.Closed(err):
		return "closed the connection. It may not offer TLS 1.3 at that port"
	}
	return ""
}

func serverName(b home.Broker) string {
	if b.ServerName != "" {
		return b.ServerName
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
