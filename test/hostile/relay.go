package hostile

import (
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"github.com/pion/turn/v5"
)

// What a relay takes for its login.
const (
	RelayUser   = "camd"
	RelaySecret = "what-the-relay-knows"
)

// Relay is a TURN server over UDP and TCP that belongs to the attacker: it can change
// what it passes on to those who allocated at it.
type Relay struct {
	UDP, TCP string // URLs

	// Change has every second packet of media changed by one bit, at any place but
	// its first byte, so that it is still taken for media.
	Change  atomic.Bool
	Passed  atomic.Int64 // packets of media
	Changed atomic.Int64
}

// StartRelay starts one at an address of this machine. It ends with the test.
func StartRelay(tb testing.TB, ip string) *Relay {
	tb.Helper()
	l, err := net.Listen("tcp4", net.JoinHostPort(ip, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	packets, err := net.ListenPacket("udp4", net.JoinHostPort(ip, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{UDP: "turn:" + packets.LocalAddr().String() + "?transport=udp", TCP: "turn:" + l.Addr().String() + "?transport=tcp"}
	addresses := &relayed{RelayAddressGeneratorStatic: turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(ip), Address: ip}, relay: r}
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: "hostile",
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(a.Username, "hostile", RelaySecret), a.Username == RelayUser
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: addresses}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: l, RelayAddressGenerator: addresses}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return r
}

// relayed makes the sockets that peers send to.
type relayed struct {
	turn.RelayAddressGeneratorStatic
	relay *Relay
}

// AllocatePacketConn is turn.RelayAddressGenerator's.
func (r *relayed) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	conn, at, err := r.RelayAddressGeneratorStatic.AllocatePacketConn(c)
	if err != nil {
		return nil, nil, err
	}
	return &relayedConn{conn, r.relay}, at, nil
}

type relayedConn struct {
	net.PacketConn
	relay *Relay
}

// ReadFrom takes a packet of a peer, on its way to who allocated.
func (c *relayedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil && n > 12 && b[0]>>6 == 2 { // RTP or RTCP (RFC 7983)
		if c.relay.Passed.Add(1)%2 == 0 && c.relay.Change.Load() {
			b[1+rand.IntN(n-1)] ^= 1 << rand.IntN(8)
			c.relay.Changed.Add(1)
		}
	}
	return n, from, err
}
