// Package hostile is what an attacker of a camera has: the broker itself, with its
// administrator's every power, and a client that says whatever it likes, with keys
// of its own or stolen ones. It is for tests only, and ends with them.
package hostile

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/camd-project/camd/internal/pki"
)

// Patience bounds every wait. It is far above what anything takes.
const Patience = 60 * time.Second

// Message is one that was published, by a client or by the broker's owner.
type Message struct {
	Topic   string
	Payload []byte
	Retain  bool
	At      time.Time
	Client  string // its MQTT client identifier; empty: the broker's owner
}

// Verdict is what becomes of a client's message.
type Verdict int

// The verdicts. The client is told each time that its message was taken.
const (
	Pass Verdict = iota
	Drop
	Hold // until Release
)

// Broker takes every certificate of the authority, any client identifier and any
// topic, and shows all that passes. Its methods may be called from any goroutine.
type Broker struct {
	tb      testing.TB
	server  *mqtt.Server
	address string
	stop    func() error

	mu        sync.Mutex
	seen      []Message
	held      []Message
	intercept func(Message) Verdict
	news      chan struct{} // closed, and replaced, when seen or held grows
}

// Start starts one for the devices and clients of ca. It ends with the test.
func Start(tb testing.TB, ca *pki.CA) *Broker {
	tb.Helper()
	cert, err := ca.Server("127.0.0.1", "localhost")
	if err != nil {
		tb.Fatal(err)
	}
	b := &Broker{tb: tb, news: make(chan struct{}), intercept: func(Message) Verdict { return Pass },
		server: mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})}
	b.stop = sync.OnceValue(b.server.Close)
	tcp := listeners.NewTCP(listeners.Config{ID: "tls", Address: "127.0.0.1:0", TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}})
	err = errors.Join(b.server.AddHook(&hook{broker: b}, nil), b.server.AddListener(tcp))
	if err == nil {
		err = b.server.Serve()
	}
	if err != nil {
		tb.Fatal(err)
	}
	b.address = tcp.Address()
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

// Address is its host:port.
func (b *Broker) Address() string { return b.address }

// Close ends it. It may be called again.
func (b *Broker) Close() error { return b.stop() }

// hook is how mochi asks who may do what, and shows each message.
type hook struct {
	mqtt.HookBase
	broker *Broker
}

// ID names the hook in mochi.
func (*hook) ID() string { return "hostile" }

// Provides lists what mochi calls.
func (*hook) Provides(event byte) bool {
	return event == mqtt.OnConnectAuthenticate || event == mqtt.OnACLCheck || event == mqtt.OnPublish
}

// OnConnectAuthenticate lets everyone in who came through TLS.
func (*hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck lets everyone read and write everything.
func (*hook) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// OnPublish shows one message before it takes its way.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	m := Message{Topic: pk.TopicName, Payload: bytes.Clone(pk.Payload), Retain: pk.FixedHeader.Retain, At: time.Now()}
	if !cl.Net.Inline {
		m.Client = cl.ID
	}
	if h.broker.judge(m) == Pass {
		return pk, nil
	}
	return pk, packets.CodeSuccessIgnore // acknowledged, and goes no further
}

func (b *Broker) judge(m Message) Verdict {
	b.mu.Lock()
	intercept := b.intercept
	b.mu.Unlock()
	v := Pass
	if m.Client != "" {
		v = intercept(m)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, m)
	if v == Hold {
		b.held = append(b.held, m)
	}
	close(b.news)
	b.news = make(chan struct{})
	return v
}

// Messages lists everything that was published so far.
func (b *Broker) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

// Held lists what is being held back.
func (b *Broker) Held() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.held)
}

// Intercept has every further message of a client judged; nil passes all.
func (b *Broker) Intercept(judge func(Message) Verdict) {
	if judge == nil {
		judge = func(Message) Verdict { return Pass }
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.intercept = judge
}

// Release lets messages that are held back go, by their places in Held and in that
// order; without places all, in the order in which they came.
func (b *Broker) Release(order ...int) {
	b.tb.Helper()
	b.mu.Lock()
	var rest, out []Message
	for i, m := range b.held {
		if len(order) == 0 {
			out = append(out, m)
		} else if !slices.Contains(order, i) {
			rest = append(rest, m)
		}
	}
	for _, i := range order {
		out = append(out, b.held[i])
	}
	b.held = rest
	b.mu.Unlock()
	for _, m := range out {
		b.Replay(m)
	}
}

// Publish sends anything to any topic. What it sends to one device arrives in the
// order of the calls.
func (b *Broker) Publish(topic string, payload []byte, retain bool) {
	b.tb.Helper()
	if err := b.server.Publish(topic, payload, retain, 0); err != nil {
		b.tb.Fatalf("publish to %s: %v", topic, err)
	}
}

// Replay publishes a message once more.
func (b *Broker) Replay(m Message) {
	b.tb.Helper()
	b.Publish(m.Topic, m.Payload, m.Retain)
}

// KickAll ends the connection of every client.
func (b *Broker) KickAll() {
	for _, cl := range b.server.Clients.GetAll() {
		if !cl.Net.Inline {
			cl.Stop(packets.ErrServerShuttingDown)
		}
	}
}

// Await waits for a message, among those that came already or will come.
func (b *Broker) Await(what string, is func(Message) bool) Message {
	b.tb.Helper()
	m := b.find(Patience, is)
	if m == nil {
		b.tb.Fatalf("waited in vain for %s among %d messages", what, len(b.Messages()))
	}
	return *m
}

// find is Await with a limit; it gives nil when that is over.
func (b *Broker) find(limit time.Duration, is func(Message) bool) *Message {
	deadline := time.After(limit)
	for next := 0; ; {
		b.mu.Lock()
		seen, news := b.seen, b.news
		b.mu.Unlock()
		for ; next < len(seen); next++ {
			if is(seen[next]) {
				return &seen[next]
			}
		}
		select {
		case <-news:
		case <-deadline:
			return nil
		}
	}
}
