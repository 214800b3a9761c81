package broker

import (
	"errors"
	"log/slog"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// rules is mochi's hook for permissions.
type rules struct {
	mqtt.HookBase
	log       *slog.Logger
	passwords *passwords
	clients   *mqtt.Clients // mochi's own list

	mu       sync.Mutex
	sessions map[string]*mqtt.Client // by MQTT client identifier
}

func newRules(log *slog.Logger, p *passwords, clients *mqtt.Clients) *rules {
	return &rules{log: log, passwords: p, clients: clients, sessions: map[string]*mqtt.Client{}}
}

// ID names the hook in mochi.
func (r *rules) ID() string { return "rules" }

// Provides lists what mochi calls.
func (r *rules) Provides(event byte) bool {
	switch event {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnSubscribe, mqtt.OnSessionEstablish:
		return true
	}
	return false
}

// OnConnectAuthenticate reports whether a CONNECT is allowed; otherwise the answer is "not
// authorised".
func (r *rules) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return false
	}
	var err error
	if c.who == (identity{}) { // over WebSocket: no certificate has said it
		c.who, err = r.passwords.identify(pk.Connect)
	}
	if err == nil {
		err = judge(c.who, pk)
	}
	if err != nil {
		r.log.Warn("client refused", "who", c.who, "mqtt_client", cl.ID, "error", err)
		return false
	}
	return true
}

func judge(who identity, pk packets.Packet) error {
	p := pk.Connect
	switch {
	case !who.owns(p.ClientIdentifier):
		return errors.New("the MQTT client identifier is not that of the certificate or user")
	case !p.Clean || pk.Properties.SessionExpiryInterval != 0:
		return errors.New("a persistent session was asked for: stale requests would wait in it")
	case p.Keepalive == 0:
		return errors.New("keep-alive is off: a dead connection would stay for ever")
	case p.WillFlag && !who.mayPublish(p.WillTopic):
		return errors.New("the will's topic is not the client's")
	}
	return nil
}

// OnACLCheck reports whether a client may write a topic, subscribe a filter, or get a message.
func (r *rules) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	c, ok := cl.Net.Conn.(*conn)
	switch {
	case !ok:
		return false
	case write:
		return c.who.mayPublish(topic)
	}
	return c.who.maySubscribe(topic)
}

// OnPublish lets only the status be retained: a retained request would be delivered again after
// every reconnect, and retained answers would accumulate.
func (r *rules) OnPublish(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if t, _ := split(pk.TopicName); t.kind != "status" {
		pk.FixedHeader.Retain = false
	}
	return pk, nil
}

// OnSubscribe bounds the subscriptions of one client: beyond the limit each filter
// becomes one that nobody may read.
func (r *rules) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl.State.Subscriptions.Len()+len(pk.Filters) > maxSubscriptions {
		for i := range pk.Filters {
			pk.Filters[i].Filter = "#"
		}
	}
	return pk
}

// OnSessionEstablish ends an older session of the same client identifier and
// waits until it is gone, so that its will is published before the new session's
// birth and never over it.
func (r *rules) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	r.mu.Lock()
	old := r.sessions[cl.ID]
	r.sessions[cl.ID] = cl
	r.mu.Unlock()
	cl.Net.Conn.(*conn).release = func() { r.forget(cl) }
	if old != nil {
		// Not old.Stop: if it stops within a packet, the will is not published.
		_ = old.Net.Conn.Close() // it may be closed already
		<-old.Net.Conn.(*conn).done
	}
}

// forget drops a session whose connection has ended, from mochi too: it keeps one
// that ended before its CONNACK was written.
func (r *rules) forget(cl *mqtt.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[cl.ID] == cl {
		delete(r.sessions, cl.ID)
		r.clients.Delete(cl.ID)
	}
}
