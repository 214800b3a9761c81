package link

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/camd-project/camd/pkg/link/mqttframe"
)

// Check connects to the broker as the device would and disconnects again. The
// error is a *Problem with the sentence that the health condition would have, or
// says what is wrong with the configuration. A session of the same device that is
// running meanwhile is ended by the broker and comes back within a second.
func Check(ctx context.Context, cfg Config, cert tls.Certificate) error {
	t, err := newTarget(cfg, cert)
	if err != nil {
		return err
	}
	if err := connectOnce(ctx, newDialer(t)); err != nil {
		return t.explain(err, time.Now())
	}
	return nil
}

func connectOnce(ctx context.Context, d *dialer) error {
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
	hello.ClientIdentifier, hello.Keepalive = d.leaf.Subject.CommonName, uint16(d.keepalive.Seconds())
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
	return packets.NewControlPacket(packets.Disconnect).Write(c)
}
