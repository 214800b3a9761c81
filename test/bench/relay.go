package main

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/pion/turn/v5"
)

// The relay has an address of its own on loopback, so that a viewer can refuse
// every other.
const (
	relayIP       = "127.0.0.2"
	relayUser     = "bench"
	relayPassword = "bench"
	relayRealm    = "bench"
	mediaBytes    = 64 << 10 // more than this, and a connection carries media
	relayBuffer   = 64 << 10 // of the kernel, for what is not read
)

// relay is a TURN server over TCP that can stop reading the connections that
// carry media, as one does whose own viewer's connection is stuck.
type relay struct {
	*turn.Server
	url     string
	stalled atomic.Bool
	closed  chan struct{}
	once    sync.Once
}

func startRelay(ip string) (*relay, error) {
	l, err := net.Listen("tcp4", ip+":0")
	if err != nil {
		return nil, err
	}
	r := &relay{url: "turn:" + l.Addr().String() + "?transport=tcp", closed: make(chan struct{})}
	key := turn.GenerateAuthKey(relayUser, relayRealm, relayPassword)
	r.Server, err = turn.NewServer(turn.ServerConfig{
		Realm: relayRealm,
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, key, a.Username == relayUser
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener:              &stallingListener{l, r},
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(ip), Address: ip},
		}},
	})
	return r, err
}

func (r *relay) stop() {
	r.once.Do(func() { close(r.closed) })
	_ = r.Close()
}

type stallingListener struct {
	net.Listener
	relay *relay
}

func (l *stallingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	_ = c.(*net.TCPConn).SetReadBuffer(relayBuffer)
	return &stallingConn{Conn: c, relay: l.relay}, nil
}

type stallingConn struct {
	net.Conn
	relay *relay
	taken int
}

func (c *stallingConn) Read(b []byte) (int, error) {
	if c.taken > mediaBytes && c.relay.stalled.Load() {
		<-c.relay.closed
	}
	n, err := c.Conn.Read(b)
	c.taken += n
	return n, err
}
