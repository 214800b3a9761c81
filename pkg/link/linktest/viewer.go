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

// Viewer is a client at the broker. It reads its own answers.
type Viewer struct {
	ID     proto.ClientID
	Device proto.DeviceID // instead, of NewOtherDevice
	Got    chan Message   // in order

	tb     testing.TB
	client mqtt.Client
}

// NewClientID returns a random client identifier.
func NewClientID() proto.ClientID {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return proto.ClientID(base64.RawURLEncoding.EncodeToString(b))
}

// NewViewer connects a viewer with a certificate of its own, which sees the status of
// some devices.
func NewViewer(tb testing.TB, s *Server, devices ...proto.DeviceID) *Viewer {
	tb.Helper()
	id := NewClientID()
	for _, d := range devices {
		s.Allow(id, d)
	}
	cert, err := s.CA.Viewer(id)
	v := Connect(tb, s, s.Viewers, string(id)+"-test", Must(tb, cert, err))
	v.ID = id
	v.Subscribe("camd/v1/+/out/" + string(id))
	for _, d := range devices {
		v.Subscribe(proto.TopicStatus(d))
	}
	return v
}

// NewOtherDevice connects with a device's certificate.
func NewOtherDevice(tb testing.TB, s *Server) *Viewer {
	tb.Helper()
	id := proto.NewDeviceID()
	v := Connect(tb, s, s.Devices, string(NewClientID()[:21])+"A", s.Device(id)) // as long as a device's name
	v.Device = id
	return v
}

// Connect connects under any MQTT client identifier and with any certificate.
func Connect(tb testing.TB, s *Server, address, id string, cert tls.Certificate) *Viewer {
	tb.Helper()
	v, err := TryConnect(tb, s, address, id, cert)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// TryConnect is Connect where the broker may refuse.
func TryConnect(tb testing.TB, s *Server, address, id string, cert tls.Certificate) (*Viewer, error) {
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
	t := v.client.Connect()
	if !t.WaitTimeout(Patience) {
		tb.Fatal("the broker does not answer who connects")
	}
	tb.Cleanup(func() { v.client.Disconnect(1000) })
	return v, t.Error()
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
