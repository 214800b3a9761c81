package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/proto"
)

// How long Check waits for its own message, and then for somebody else who takes the name
// back: camd tries again within a second.
const (
	echoTime  = 5 * time.Second
	rivalTime = 2 * time.Second
)

// Check connects to the broker as the device would, checks that the broker carries what
// the device publishes and that nobody else uses its name, and disconnects. The error is a
// *Problem with the sentence that the health condition would have, or says what is wrong
// with the configuration. If the device has a session, the broker ends it, and it comes
// back within a second.
func Check(ctx context.Context, cfg Config, login Login) error {
	t, err := newTarget(cfg, login)
	if err != nil {
		return err
	}
	// The status says offline. It is not retained, so the retained one stays.
	if err := connectOnce(ctx, newDialer(t), []byte(`{"online":false}`), awaitRival); err != nil {
		return t.explain(err, time.Now())
	}
	return nil
}

// connectOnce connects, publishes a status that is not retained, waits until it comes back,
// calls then unless it is nil, and disconnects.
func connectOnce(ctx context.Context, d *dialer, status []byte, then func(*conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	c, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { c.cut(context.Cause(ctx)) })
	defer stop()

	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession = "MQTT", 4, true
	hello.ClientIdentifier, hello.Keepalive = d.clientID, uint16(d.keepalive.Seconds())
	if err := hello.Write(c); err != nil {
		return err
	}
	answer, err := packets.ReadPacket(c)
	if err != nil {
		return err
	}
	ack, ok := answer.(*packets.ConnackPacket)
	if !ok {
		return &mqttframe.Error{What: "something else than a CONNACK first"}
	}
	if refused := packets.ConnErrors[ack.ReturnCode]; refused != nil {
		return refused
	}
	if err := tryTopics(c, proto.TopicStatus(proto.DeviceID(d.leaf.Subject.CommonName)), status); err != nil {
		return err
	}
	if then != nil {
		if err := then(c); err != nil {
			return err
		}
	}
	return packets.NewControlPacket(packets.Disconnect).Write(c)
}

// tryTopics publishes on the device's own status topic and waits until that comes back.
func tryTopics(c *conn, topic string, status []byte) error {
	ask := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	ask.MessageID, ask.Topics, ask.Qoss = 1, []string{topic}, []byte{0}
	say := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	say.TopicName, say.Payload = topic, status
	if err := errors.Join(ask.Write(c), say.Write(c)); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(echoTime)); err != nil {
		return err
	}
	for {
		p, err := packets.ReadPacket(c)
		switch m := p.(type) {
		case *packets.SubackPacket:
			if m.ReturnCodes[0] != 0 {
				return errSubscribe
			}
		case *packets.PublishPacket:
			if !m.Retain && bytes.Equal(m.Payload, status) {
				return nil
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errMute
		}
		if err != nil {
			return err
		}
	}
}

// awaitRival waits whether somebody else takes the device's name back.
func awaitRival(c *conn) error {
	if err := c.SetReadDeadline(time.Now().Add(rivalTime)); err != nil {
		return err
	}
	for {
		_, err := packets.ReadPacket(c)
		var late net.Error
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return errRival
		case errors.As(err, &late) && late.Timeout():
			return nil
		default:
			return err
		}
	}
}
