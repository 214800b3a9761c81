package client

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
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
	"github.com/camd-project/camd/pkg/proto"
)

// Limits of the broker connection.
const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	keepAlive    = 30 * time.Second
	maxReconnect = 10 * time.Second
	disconnectMS = 250
)

// tlsConfig pins the broker's authority and shows the client's certificate.
func tlsConfig(b home.Broker) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: serverName(b)}
	if b.CA != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(b.CA)) {
			return nil, home.NewProblem(nil, "The authority of the broker %s is no certificate in PEM form.", b.URL)
		}
	}
	if b.Certificate != "" {
		cert, err := tls.X509KeyPair([]byte(b.Certificate), []byte(b.Key))
		if err != nil {
			return nil, home.NewProblem(err, "The certificate or key for the broker %s can't be used: %v.", b.URL, err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func address(b home.Broker) string {
	u, err := url.Parse(b.URL)
	if err != nil {
		return ""
	}
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "8883")
}

// options are what every connection of c has. Only dialling is our own: paho
// would hide why TLS failed.
func (c *Camera) options(cfg *tls.Config) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().
		AddBroker(c.record.Broker.URL).
		SetProtocolVersion(4). // else a refusal is tried again with MQTT 3.1
		SetClientID(string(c.keys.ID()) + "-" + randomID()[:8]).
		SetUsername(c.record.Broker.User).SetPassword(c.record.Broker.Password).
		SetCleanSession(true). // nothing of a former session may be delivered late
		SetOrderMatters(true).
		SetConnectTimeout(dialTimeout).SetWriteTimeout(writeTimeout).SetKeepAlive(keepAlive).
		SetMaxReconnectInterval(maxReconnect).
		SetOnConnectHandler(c.subscribe).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.log.Info("broker connection lost", "error", err) })
	return o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", address(c.record.Broker))
		if err != nil {
			return nil, err
		}
		return &mqttframe.Conn{Conn: &tlsend.Conn{Conn: conn}, Refuse: func(why error) { c.malformed.Store(&why) }}, nil
	})
}

// subscribe runs in a goroutine of paho's after each connection. What is lost is
// asked for again or shows as a gap, so QoS 0 will do, and a broker that may send
// nothing else has no hold on paho's store.
func (c *Camera) subscribe(m mqtt.Client) {
	out := m.Subscribe(proto.TopicOut(c.record.Device, c.keys.ID()), 0, c.take)
	status := m.Subscribe(proto.TopicStatus(c.record.Device), 0, c.take)
	err := c.granted(out)
	if err == nil { // a broker may keep the status from this client: then nothing is known of it
		err = waitToken(context.Background(), status, dialTimeout)
	}
	select {
	case c.subscribed <- err:
	default: // only the first connection is waited for
	}
}

func (c *Camera) granted(t mqtt.Token) error {
	if err := waitToken(context.Background(), t, dialTimeout); err != nil {
		return err
	}
	for _, qos := range t.(*mqtt.SubscribeToken).Result() {
		if qos != 0 { // MQTT 3.1.1 section 3.9.3: 0x80 is failure
			return home.NewProblem(nil, "The broker %s does not let this client receive from the camera. Ask its operator.", c.record.Broker.URL)
		}
	}
	return nil
}

// take is paho's handler: it must not block.
func (c *Camera) take(_ mqtt.Client, m mqtt.Message) {
	select {
	case c.inbound <- inbound{topic: m.Topic(), payload: m.Payload()}:
	default:
		c.dropped.Add(1)
	}
}

// waitToken never waits for good: a few of paho's tokens never complete.
func waitToken(ctx context.Context, t mqtt.Token, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return context.DeadlineExceeded
	}
}

// explainDial says in a sentence why the broker can't be used.
func explainDial(b home.Broker, err error) error {
	var p *home.Problem
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return err
	}
	return home.NewProblem(err, "The broker %s %s.", b.URL, dialReason(b, err))
}

// dialReason goes on after the broker's address.
func dialReason(b home.Broker, err error) string {
	for _, reason := range []func(home.Broker, error) string{loginReason, certificateReason, alertReason, networkReason} {
		if s := reason(b, err); s != "" {
			return s
		}
	}
	return "can't be used: " + home.Printable(tlsend.Root(err).Error())
}

// loginReason has what MQTT's CONNACK says. MQTT 3.1.1, 3.2.2.3.
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

// certificateReason has what this client does not accept.
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

// alertReason has what the broker does not accept, and what can be guessed where it
// went without a word.
func alertReason(b home.Broker, err error) string {
	code := tlsend.Alert(err)
	silent := tlsend.Closed(err) && errors.Is(err, tlsend.ErrUnheard)
	switch {
	case code == 0 && !silent:
		return ""
	case code == tlsend.ProtocolVersion, code == tlsend.HandshakeFailure:
		return "does not offer TLS 1.3"
	case b.Certificate == "" && silent:
		return "did not let this client in; it may want a certificate, and this client has none. " + nameCertificate
	case b.Certificate == "":
		return "wants a certificate, and this client has none. " + nameCertificate
	case silent:
		return "ended the connection without a reason before it let this client in. It may not accept this client's certificate; ask its operator"
	case code == tlsend.Expired:
		return "says that this client's certificate has expired. Have a new one made"
	case code == tlsend.Revoked:
		return "says that this client's certificate was revoked. Have a new one made"
	}
	return "does not accept this client's certificate (" + tlsend.Text(code) + "). Ask its operator"
}

const nameCertificate = "Pair, or add the camera card, with --broker-cert and --broker-key"

// networkReason has name lookup, TCP, and who answers with something else than TLS.
func networkReason(_ home.Broker, err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "can't be found: there is no address for " + dns.Name
	case errors.As(err, &dns):
		return "can't be found: DNS does not answer. Check the network"
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
