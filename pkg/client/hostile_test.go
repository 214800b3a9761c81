package client

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/proto"
)

// A broker is not trusted: what it sends neither fills memory nor upsets paho.
func TestHostileBroker(t *testing.T) { // T21
	d, _, keys, r := paired(t)
	connack := []byte{0x20, 2, 0, 0}
	for name, c := range map[string]struct {
		onConnect, onSubscribe []byte
		want                   string
	}{
		"announces 256 MB":     {connack, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, "a packet of 268435455 bytes"},
		"surplus SUBACK code":  {connack, []byte{0x90, 5, 0, 1, 0, 0, 0}, "an unexpected packet"},
		"QoS 1":                {connack, []byte{0x32, 5, 0, 1, 'x', 0, 1}, "an unexpected packet"},
		"unknown CONNACK":      {[]byte{0x20, 2, 0, 99}, nil, "an unknown CONNACK code 99"},
		"no MQTT at all":       {[]byte("HTTP/1.1 400 Bad Request\r\n"), nil, "an unexpected packet"},
		"refuses to subscribe": {connack, []byte{0x90, 3, 0, 1, 0x80}, "does not let this client receive from the camera"},
	} {
		t.Run(name, func(t *testing.T) {
			l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{must(d.ca.Server("127.0.0.1"))}}))
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					for _, answer := range [][]byte{c.onConnect, c.onSubscribe} {
						if _, err := conn.Read(make([]byte, 4096)); err == nil {
							_, _ = conn.Write(answer)
						}
					}
					_, _ = io.Copy(io.Discard, conn) // until the client has gone
					_ = conn.Close()
				}
			}()
			r.Broker.URL = "mqtts://" + l.Addr().String()
			camera, err := Dial(t.Context(), nil, keys, r, quiet)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Dial = %v, want %q", err, c.want)
			}
			if camera != nil {
				camera.Close()
			}
			_ = l.Close()
			<-done
		})
	}
}

// A broker need not show a client the camera's status: then the client knows nothing
// of it, and says so of a camera that does not answer.
func TestABrokerMayKeepTheStatus(t *testing.T) {
	d, _, keys, r := paired(t)
	l := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{must(d.ca.Server("127.0.0.1"))}}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for {
			p, err := packets.ReadPacket(conn)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnectPacket:
				_ = packets.NewControlPacket(packets.Connack).Write(conn)
			case *packets.SubscribePacket:
				ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
				ack.MessageID, ack.ReturnCodes = p.MessageID, []byte{0}
				if p.Topics[0] == proto.TopicStatus(r.Device) {
					ack.ReturnCodes[0] = 0x80
				}
				_ = ack.Write(conn)
			}
		}
	}()
	r.Broker.URL = "mqtts://" + l.Addr().String()
	c, err := Dial(t.Context(), nil, keys, r, quiet)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	if err := c.explainSilence(t.Context(), ErrNoAnswer); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "does not say whether it is online") {
		t.Errorf("of a camera that does not answer is said: %v", err)
	}
	c.Close()
	_ = l.Close()
	<-done
}
