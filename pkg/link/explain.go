package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
)

// explain returns the Problem of an error that ended an attempt or a session: a sentence
// that says what is wrong, compared with what, and what to do.
func (t *target) explain(err error, now time.Time) *Problem {
	for _, f := range []func(error, time.Time) string{
		t.explainOwn, t.explainRefusal, t.explainCertificate, t.explainAlert, t.explainNetwork,
	} {
		if s := f(err, now); s != "" {
			return &Problem{Sentence: foreign.Line(s), cause: err}
		}
	}
	return &Problem{Sentence: foreign.Line(fmt.Sprintf("The connection to the broker %s failed: %v.", t.address(), tlsend.Root(err))), cause: err}
}

// explainOwn has the sentences for errors of this package.
func (t *target) explainOwn(err error, _ time.Time) string {
	var frame *mqttframe.Error
	switch {
	case errors.As(err, &frame):
		return fmt.Sprintf("The broker %s violates MQTT 3.1.1: it sent %s. Check that its message limit is 64 KiB.", t.address(), frame.What)
	case errors.Is(err, errSubscribe):
		return fmt.Sprintf("The broker %s does not let %s subscribe to its topics. Check the broker's topic rules.", t.address(), certName(t.leaf))
	case errors.Is(err, errMute):
		return fmt.Sprintf("The broker %s accepts what the device publishes but delivers none of it. Check that broker has the devices' port, not the viewers', and that the broker's topic rules know %s.", t.address(), certName(t.leaf))
	case errors.Is(err, errRival):
		return fmt.Sprintf("Another device connects under this camera's name at the broker %s, and each ends the other's session. Look for a second device with a copy of this one's state folder, and give it an identity of its own.", t.address())
	case errors.Is(err, errSilent), err != nil && strings.HasPrefix(err.Error(), "pingresp not received"):
		return fmt.Sprintf("The broker %s stopped answering. The network between may be down.", t.address())
	case errors.Is(err, errStopping), errors.Is(err, context.Canceled):
		return "camd is stopping."
	case errors.Is(err, errTaken):
		return fmt.Sprintf("camd reconnects to the broker %s with the new certificate.", t.address())
	case errors.Is(err, errReconnect):
		return fmt.Sprintf("camd reconnects to the broker %s.", t.address())
	case errors.Is(err, errProxy):
		return fmt.Sprintf("The proxy in HTTPS_PROXY does not connect to the broker %s: %s.", t.address(), tlsend.Root(err))
	}
	if err != nil {
		if why, found := strings.CutPrefix(tlsend.Root(err).Error(), unsigned); found {
			return fmt.Sprintf("The camera can't log in to the broker %s, since its key can't sign: %s.", t.address(), why)
		}
	}
	return ""
}

// unsigned is what crypto/tls puts before the text of a key's error.
const unsigned = "tls: failed to sign handshake: "

// explainRefusal has the sentences for CONNACK codes (MQTT 3.1.1, section 3.2.2.3).
func (t *target) explainRefusal(err error, _ time.Time) string {
	switch {
	case errors.Is(err, packets.ErrorRefusedNotAuthorised), errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		return fmt.Sprintf("The broker %s does not authorise the device's certificate %s. Enter it in the broker's list of devices.", t.address(), certName(t.leaf))
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Sprintf("The broker %s rejects the MQTT client identifier of %s. Let devices choose it: it has 22 characters of A-Z, a-z, 0-9, - and _.", t.address(), certName(t.leaf))
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return fmt.Sprintf("The broker %s is running but accepts no clients now. Look at its log.", t.address())
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return fmt.Sprintf("The broker %s does not speak MQTT 3.1.1. Enable that version in the broker.", t.address())
	}
	return ""
}

// explainCertificate has the sentences for a broker's certificate that the device
// does not accept.
func (t *target) explainCertificate(err error, now time.Time) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return fmt.Sprintf("The certificate of the broker %s is for %s, not for %q. Set server_name to a name that it holds, or have one made for that name.",
			t.address(), names(host.Certificate), t.serverName)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return t.explainValidity(invalid.Cert, now)
	case errors.As(err, &invalid):
		return fmt.Sprintf("The certificate of the broker %s can't be used: %v.", t.address(), invalid)
	case errors.As(err, &unknown):
		return fmt.Sprintf("The certificate of the broker %s is not trusted: it was issued by %s, but the device trusts %s. Set ca to the file of the broker's authority.",
			t.address(), tlsend.Issuer(cmp.Or(tlsend.Leaf(err), unknown.Cert)), t.authority)
	}
	return ""
}

func (t *target) explainValidity(c *x509.Certificate, now time.Time) string {
	if c == nil {
		return fmt.Sprintf("The certificate of the broker %s is not valid now. This device's clock reads %s.", t.address(), day(now))
	}
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("The certificate %s of the broker %s is valid only from %s, but this device's clock reads %s. If the clock is wrong, it goes on as soon as the clock is set.",
			certName(c), t.address(), moment(c.NotBefore), clock(now, c.NotBefore))
	}
	return fmt.Sprintf("The certificate %s of the broker %s expired on %s; this device's clock reads %s. Renew the certificate, or set the clock if it is wrong.",
		certName(c), t.address(), moment(c.NotAfter), clock(now, c.NotAfter))
}

// explainAlert has the sentences for what the broker said about the device's
// certificate or about TLS itself.
func (t *target) explainAlert(err error, now time.Time) string {
	mine := fmt.Sprintf("The broker %s refuses the device's certificate %s", t.address(), certName(t.leaf))
	switch code := tlsend.Alert(err); code {
	case 0:
		return ""
	case tlsend.ProtocolVersion, tlsend.HandshakeFailure:
		return fmt.Sprintf("The broker %s does not offer TLS 1.3, and the device speaks nothing older. Enable it in the broker.", t.address())
	case tlsend.Expired:
		return fmt.Sprintf("%s as expired: it is valid from %s to %s, and this device's clock reads %s. Renew it, or set the broker's clock.",
			mine, moment(t.leaf.NotBefore), moment(t.leaf.NotAfter), clock(now, t.leaf.NotAfter))
	case tlsend.UnknownCA:
		return fmt.Sprintf("%s: the broker does not know its issuer %s. Give the broker that authority for clients.", mine, tlsend.Issuer(t.leaf))
	case tlsend.Revoked:
		return mine + ": it was revoked. Have a new one made."
	case tlsend.BadCertificate, tlsend.UnsupportedFormat, tlsend.CertificateUnknown, tlsend.AccessDenied, tlsend.Required:
		return fmt.Sprintf("%s, issued by %s and valid to %s (%v). See the broker's log.", mine, tlsend.Issuer(t.leaf), moment(t.leaf.NotAfter), tlsend.Text(code))
	default:
		return fmt.Sprintf("The broker %s ended TLS with %q. See its log.", t.address(), tlsend.Text(code))
	}
}

// explainNetwork has the sentences for name lookup, TCP, and connections that end
// without a reason.
func (t *target) explainNetwork(err error, _ time.Time) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var timeout net.Error
	closed := tlsend.Closed(err)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("The broker's name %s is not known to DNS. Check broker in the configuration.", t.host)
	case errors.As(err, &dns):
		return fmt.Sprintf("The broker's name %s can't be looked up: DNS does not answer. Check the network.", t.host)
	case errors.As(err, &record):
		return fmt.Sprintf("What listens on %s does not speak TLS. Check the port in broker.", t.address())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("Nothing listens on %s: the connection was refused. Check that the broker runs, and its port.", t.address())
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return fmt.Sprintf("There is no network path to the broker %s. Check the network.", t.address())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("The broker %s does not answer. A firewall may be in the way, or the network down.", t.address())
	case closed && errors.Is(err, errHandshake):
		return fmt.Sprintf("The broker %s closed the connection during the TLS handshake. It may not offer TLS 1.3 on this port.", t.address())
	case closed && errors.Is(err, tlsend.ErrUnheard):
		return fmt.Sprintf("The broker %s closed the connection without a reason before it accepted the device. It may not accept the certificate %s; see the broker's log.", t.address(), certName(t.leaf))
	case closed:
		return fmt.Sprintf("The broker %s closed the connection.", t.address())
	}
	return ""
}

func certName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return foreign.Name(c.Subject.CommonName)
	}
	return foreign.Name(c.Subject.String())
}

// maxNames bounds how many names of a certificate a sentence lists.
const maxNames = 4

func names(c *x509.Certificate) string {
	var l []string
	for _, name := range c.DNSNames {
		l = append(l, foreign.Name(name))
	}
	for _, ip := range c.IPAddresses {
		l = append(l, ip.String())
	}
	if len(l) == 0 {
		return "no host name at all"
	}
	more := ""
	if n := len(l) - maxNames; n > 0 {
		l, more = l[:maxNames], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(l, ", ") + more
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
func day(t time.Time) string    { return t.UTC().Format("2006-01-02") }

// clock formats the device's time only as exactly as needed: a sentence that changes every
// minute would be logged every minute.
func clock(now, than time.Time) string {
	if now.Sub(than).Abs() > 48*time.Hour {
		return day(now)
	}
	return moment(now)
}
