package broker

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

const patience = 30 * time.Second // how long a broken broker is waited for

type world struct {
	*testing.T
	ca     *pki.CA
	broker *Broker
}

func start(t *testing.T) *world {
	t.Helper()
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, ca: ca}
	w.broker, err = Start(Config{Address: "127.0.0.1:0", TLS: &tls.Config{
		Certificates: []tls.Certificate{w.cert(ca.Server("127.0.0.1"))}, ClientCAs: ca.Pool(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.broker.Close() })
	return w
}

func (w *world) cert(c tls.Certificate, err error) tls.Certificate {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// client speaks MQTT 3.1.1 by hand, so that each answer of the broker is seen.
type client struct {
	w *world
	net.Conn
	in *bufio.Reader
}

func (w *world) dial(cfg *tls.Config) (*client, error) {
	w.Helper()
	cfg.RootCAs = w.ca.Pool()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", w.broker.Address(), cfg)
	if err != nil {
		return nil, err
	}
	w.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		w.Fatal(err)
	}
	return &client{w, c, bufio.NewReader(c)}, nil
}

// send encodes a packet and writes it.
func (c *client) send(pk packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) {
	c.w.Helper()
	pk.ProtocolVersion = 4
	var b bytes.Buffer
	if err := encode(&pk, &b); err != nil {
		c.w.Fatal(err)
	}
	_, _ = c.Write(b.Bytes()) // the next read reports whether the broker took it
}

// read returns the first byte and the body of the next packet.
func (c *client) read() (byte, []byte, error) {
	head, err := c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, _, err := packets.DecodeLength(c.in)
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(c.in, body)
	return head, body, err
}

func (c *client) expect(kind byte) []byte {
	c.w.Helper()
	head, body, err := c.read()
	if err != nil || head>>4 != kind {
		c.w.Fatalf("got packet %d %q (%v), want %d", head>>4, body, err, kind)
	}
	return body
}

func connectPacket(id string) packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect:     packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: id},
	}
}

// connect opens a session and returns the CONNACK's return code.
func (w *world) connect(cert tls.Certificate, pk packets.Packet) (*client, byte) {
	w.Helper()
	c, err := w.dial(&tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		w.Fatal(err)
	}
	c.send(pk, (*packets.Packet).ConnectEncode)
	return c, c.expect(packets.Connack)[1]
}

func (w *world) device(id proto.DeviceID) *client {
	w.Helper()
	return w.session(w.cert(w.ca.Device(id, nil)), secret)
}

func (w *world) viewer(id proto.ClientID) *client {
	w.Helper()
	return w.session(w.cert(w.ca.Viewer(id)), string(id)+"-1")
}

func (w *world) session(cert tls.Certificate, id string) *client {
	w.Helper()
	c, code := w.connect(cert, connectPacket(id))
	if code != 0 {
		w.Fatalf("CONNACK %d for %s", code, id)
	}
	return c
}

func (c *client) publish(topic, payload string, retain bool) {
	c.w.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: retain}, TopicName: topic, Payload: []byte(payload)}
	c.send(pk, (*packets.Packet).PublishEncode)
}

// subscribe returns the SUBACK's return code.
func (c *client) subscribe(filter string) byte {
	c.w.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 7, Filters: packets.Subscriptions{{Filter: filter}}}
	c.send(pk, (*packets.Packet).SubscribeEncode)
	return c.expect(packets.Suback)[2]
}

// delivered returns topic and payload of the next message.
func (c *client) delivered() (topic, payload string) {
	c.w.Helper()
	body := c.expect(packets.Publish)
	n := int(body[0])<<8 | int(body[1])
	return string(body[2 : 2+n]), string(body[2+n:])
}
