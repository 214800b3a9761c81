// Package broker connects a client to its camera's MQTT broker, over TLS 1.3 and with
// frames checked before the MQTT library sees them. An error is a sentence that says why
// the broker can't be used, and what to do.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
	"github.com/camd-project/camd/pkg/proto"
)

// Limits of the connection.
const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	keepAlive    = 30 * time.Second
	maxReconnect = 10 * time.Second
	disconnectMS = 250
	queue        = 64 // messages that were not read yet; more are dropped
)

// Message is what the broker delivered. Nobody has verified it.
type Message struct {
	Topic   string
	Payload []byte
}

// Conn is a connection to a broker that gets what a camera publishes for one client.
// It reconnects by itself until Close. It is safe for concurrent use.
type Conn struct {
	broker home.Broker
	device proto.DeviceID
	client proto.ClientID
	log    *slog.Logger
	mqtt   mqtt.Client

	messages   chan Message
	subscribed chan error
	dropped    atomic.Uint64
	malformed  atomic.Pointer[error] // why a connection was closed
}

// Dial connects to the broker b and subscribes to what device publishes for client. It
// returns when the subscription is made.
func Dial(ctx context.Context, b home.Broker, device proto.DeviceID, client proto.ClientID, log *slog.Logger) (*Conn, error) {
	cfg, err := tlsConfig(b)
	if err != nil {
		return nil, err
	}
	c := &Conn{broker: b, device: device, client: client, log: log, messages: make(chan Message, queue), subscribed: make(chan error, 1)}
	c.mqtt = mqtt.NewClient(c.options(cfg)) //nolint:contextcheck // it reconnects after ctx
	err = waitToken(ctx, c.mqtt.Connect(), 2*dialTimeout)
	if err == nil {
		select {
		case err = <-c.subscribed:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		c.Close()
		if why := c.malformed.Load(); why != nil {
			err = *why
		}
		return nil, explain(b, err)
	}
	return c, nil
}

// Messages returns the channel of what the broker delivers. It is never closed.
func (c *Conn) Messages() <-chan Message { return c.messages }

// Publish sends a request to the camera with QoS 0, and does not wait.
func (c *Conn) Publish(request []byte) {
	c.mqtt.Publish(proto.TopicIn(c.device, c.client), 0, false, request)
}

// Up reports whether there is a connection now.
func (c *Conn) Up() bool { return c.mqtt.IsConnectionOpen() }

// Dropped returns the number of messages that were dropped because nobody read them.
func (c *Conn) Dropped() uint64 { return c.dropped.Load() }

// Close ends the connection.
func (c *Conn) Close() { c.mqtt.Disconnect(disconnectMS) }

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

// options returns what every connection has in common. Only dialling is our own, since
// paho would hide why TLS failed.
func (c *Conn) options(cfg *tls.Config) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().
		AddBroker(c.broker.URL).
		SetProtocolVersion(4). // else a refusal is tried again with MQTT 3.1
		SetClientID(string(c.client) + "-" + rand.Text()[:8]).
		SetUsername(c.broker.User).SetPassword(c.broker.Password).
		SetCleanSession(true). // nothing of a former session may be delivered late
		SetOrderMatters(true).
		SetConnectTimeout(dialTimeout).SetWriteTimeout(writeTimeout).SetKeepAlive(keepAlive).
		SetMaxReconnectInterval(maxReconnect).
		SetOnConnectHandler(c.subscribe).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.log.Info("broker connection lost", "error", err) })
	return o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return open(c.broker, cfg, func(why error) { c.malformed.Store(&why) })
	})
}

// open connects to the broker, by TLS or by a WebSocket over it (MQTT 3.1.1, 6). It calls refuse
// with the reason why it ends a connection.
func open(b home.Broker, cfg *tls.Config, refuse func(error)) (net.Conn, error) {
	var conn net.Conn
	var err error
	if b.OverWebSocket() {
		conn, err = mqtt.NewWebsocket(b.URL, cfg, dialTimeout, nil, nil)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		conn, err = (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", address(b))
	}
	if err != nil {
		return nil, err
	}
	return &mqttframe.Conn{Conn: &tlsend.Conn{Conn: conn}, Refuse: refuse}, nil
}

// subscribe runs in a goroutine of paho's after each connection. What is lost is asked
// for again or shows as a gap, so QoS 0 is enough, and a broker that may send nothing
// else can't fill paho's store.
func (c *Conn) subscribe(m mqtt.Client) {
	topic := proto.TopicOut(c.device, c.client)
	out := m.Subscribe(topic, 0, c.take)
	status := m.Subscribe(proto.TopicStatus(c.device), 0, c.take)
	err := waitToken(context.Background(), out, dialTimeout)
	if err == nil && out.(*mqtt.SubscribeToken).Result()[topic] != 0 { // MQTT 3.1.1 section 3.9.3: 0x80 is failure
		err = home.NewProblem(nil, "The broker %s does not let this client receive from the camera. Ask its operator.", c.broker.URL)
	}
	if err == nil { // a broker may keep the status from this client: then nothing is known of it
		err = waitToken(context.Background(), status, dialTimeout)
	}
	select {
	case c.subscribed <- err:
	default: // only the first connection is waited for
	}
}

// take is paho's handler: it must not block.
func (c *Conn) take(_ mqtt.Client, m mqtt.Message) {
	select {
	case c.messages <- Message{m.Topic(), m.Payload()}:
	default:
		c.dropped.Add(1)
	}
}

// waitToken waits for t, but never for good: a few of paho's tokens never complete.
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
