// Package broker is a small MQTT broker for the demo and for tests: mochi-mqtt
// behind a listener that speaks mutual TLS 1.3 only, and a handler that serves browsers over
// WebSocket, with the topic rules that a real installation sets in its own broker
// (docs/operations.md).
//
// It refuses clients without a certificate of the configured authority, or over WebSocket
// without a password of this broker's; client identifiers that do not belong to the certificate
// or user, persistent sessions, and all topics but the client's own. All state is in memory and bounded. When Close returns, all connections and their
// goroutines have ended.
package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// Limits of the broker.
const (
	maxPacket        = 64 << 10 // bytes of one MQTT packet
	maxConnections   = 256
	maxQueued        = 128 // messages waiting for one client; more are dropped
	maxSubscriptions = 64  // of one client
	statisticsPeriod = 3600
)

// Config is the configuration of a broker.
type Config struct {
	Address string      // host:port; port 0 picks a free one
	TLS     *tls.Config // Certificates and ClientCAs; the rest is set by Start
	Log     *slog.Logger
}

// Broker is a running broker.
type Broker struct {
	server    *mqtt.Server
	listener  *listener
	passwords *passwords
	log       *slog.Logger
	close     func() error
}

// Start listens and serves. Log may be nil.
func Start(cfg Config) (*Broker, error) {
	if cfg.TLS == nil || len(cfg.TLS.Certificates) == 0 {
		return nil, errors.New("start broker: no server certificate")
	}
	if cfg.TLS.ClientCAs == nil { // nil would mean the machine's roots
		return nil, errors.New("start broker: no authority for client certificates")
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("component", "broker")

	tcp, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{
		server:    mqtt.New(options()),
		listener:  newListener(tcp, mutual(cfg.TLS), log),
		passwords: newPasswords(),
		log:       log,
	}
	b.close = sync.OnceValue(b.server.Close) // mochi panics at a second Close
	if err := b.serve(); err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	return b, nil
}

func (b *Broker) serve() error {
	if err := b.server.AddHook(newRules(b.log, b.passwords, b.server.Clients), nil); err != nil {
		return err
	}
	if err := b.server.AddListener(b.listener); err != nil {
		return err
	}
	return b.server.Serve()
}

// Address returns the host:port that the broker listens on.
func (b *Broker) Address() string { return b.listener.Address() }

// Close ends every connection and waits for their goroutines. It may be called again.
func (b *Broker) Close() error { return b.close() }

// mutual returns a configuration for TLS 1.3 with a client certificate, which is verified in
// every handshake: a resumed session could outlive a certificate.
func mutual(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.SessionTicketsDisabled = true
	return c
}

func options() *mqtt.Options {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumPacketSize = maxPacket
	c.MaximumClients = maxConnections
	c.MaximumClientWritesPending = maxQueued
	c.MaximumInflight = maxQueued
	c.ReceiveMaximum = maxQueued
	c.MaximumSessionExpiryInterval = 0
	c.TopicAliasMaximum = 0
	c.SharedSubAvailable = 0
	c.MinimumProtocolVersion = 4 // MQTT 3.1.1
	return &mqtt.Options{
		Capabilities: c,
		// mochi logs whole packets; what matters is logged by rules and listener.
		Logger:                 slog.New(slog.DiscardHandler),
		SysTopicResendInterval: statisticsPeriod, // nobody may read them, so seldom
	}
}
