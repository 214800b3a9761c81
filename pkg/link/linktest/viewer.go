package linktest

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// Message is what a viewer received.
type Message struct {
	Topic    string
	Payload  string
	Retained bool
}

// Viewer is a client at the broker. It reads its own answers and every status.
type Viewer struct {
	ID  proto.ClientID
	Got chan Message // in order

	tb     testing.TB
	client mqtt.Client
}

// NewClientID makes a random client identifier.
func NewClientID() proto.ClientID {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return proto.ClientID(base64.RawURLEncoding.EncodeToString(b))
}

// NewViewer connects a viewer with a certificate of its own.
func NewViewer(tb testing.TB, s *Server) *Viewer {
	tb.Helper()
	id := NewClientID()
	cert, err := s.CA.Viewer(id)
	v := connect(tb, s, s.Viewers, string(id)+"-test", Must(tb, cert, err))
	v.ID = id
	v.Subscribe("camd/v1/+/out/" + string(id))
	v.Subscribe("camd/v1/+/status")
	return v
}

// NewOtherDevice connects with a device's certificate; the result has no ID.
func NewOtherDevice(tb testing.TB, s *Server) *Viewer {
	tb.Helper()
	id := proto.NewDeviceID()
	return connect(tb, s, s.Devices, string(id), s.Device(id))
}

func connect(tb testing.TB, s *Server, address, id string, cert tls.Certificate) *Viewer {
	tb.Helper()
	v := &Viewer{Got: make(chan Message, 4096), tb: tb}
	v.client = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker("mqtts://" + address).
		SetClientID(id).
		SetProtocolVersion(4).
		SetAutoReconnect(false).
		SetWriteTimeout(Patience).
		SetDefaultPublishHandler(v.take).
		SetTLSConfig(&tls.Config{RootCAs: s.CA.Pool(), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
	v.wait(v.client.Connect())
	tb.Cleanup(func() { v.client.Disconnect(1000) })
	return v
}

// Subscribe asks for a filter. Whether the broker grants it shows in what comes.
func (v *Viewer) Subscribe(filter string) {
	v.tb.Helper()
	v.wait(v.client.Subscribe(filter, 1, nil))
}

// Publish publishes to any topic, QoS 0. Whether the broker carries it shows at
// the other end.
func (v *Viewer) Publish(topic, payload string) {
	v.tb.Helper()
	v.wait(v.client.Publish(topic, 0, false, payload))
}

func (v *Viewer) take(_ mqtt.Client, m mqtt.Message) {
	v.Got <- Message{m.Topic(), string(m.Payload()), m.Retained()}
}

func (v *Viewer) wait(t mqtt.Token) {
	v.tb.Helper()
	if !t.WaitTimeout(Patience) {
		v.tb.Fatal("the broker does not answer the viewer")
	}
	if err := t.Error(); err != nil {
		v.tb.Fatal(err)
	}
}

// Request publishes a message to a device and waits until the broker has it.
func (v *Viewer) Request(device proto.DeviceID, msg []byte, retain bool) {
	v.tb.Helper()
	v.wait(v.client.Publish(proto.TopicIn(device, v.ID), 1, retain, msg))
}

// Await returns the next message that is as ok wants, dropping others.
func (v *Viewer) Await(what string, ok func(Message) bool) Message {
	v.tb.Helper()
	var found Message
	Until(v.tb, "the viewer gets "+what, func() bool {
		select {
		case m := <-v.Got:
			found = m
			return ok(m)
		default:
			return false
		}
	})
	return found
}
