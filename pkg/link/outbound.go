package link

import (
	"context"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// Send hands a sealed message for a client to the broker and never blocks. msg
// must not be changed afterwards. The error is ErrOffline, ErrFull or ErrMessage;
// without one the message may still be lost with the connection, which the client
// notices by the missing answer.
func (l *Link) Send(to proto.ClientID, msg []byte) error {
	if len(msg) > proto.MaxMessage || !to.Valid() {
		return ErrMessage
	}
	if !l.online.Load() {
		l.drops.add(dropOffline)
		return ErrOffline
	}
	select {
	case l.outbox <- message{to, msg}:
		return nil
	default:
		l.drops.add(dropOutbox)
		return ErrFull
	}
}

// send publishes what Send took, in order. After ctx has ended it empties the
// outbox and returns.
func (l *Link) send(ctx context.Context, client mqtt.Client) {
	for {
		select {
		case m := <-l.outbox:
			l.publish(client, m)
		case <-ctx.Done():
			for {
				select {
				case m := <-l.outbox:
					l.publish(client, m)
				default:
					return
				}
			}
		}
	}
}

// publish uses QoS 0: with QoS 1 the library keeps every message until it is
// acknowledged, without bound while the broker is away, and sends it again when
// nobody waits for it any more. A client that misses an answer asks again and
// gets the first answer. The token completes with the write, which is bounded.
func (l *Link) publish(client mqtt.Client, m message) {
	if !client.IsConnectionOpen() { // the library would report success
		l.drops.add(dropOffline)
		return
	}
	token := client.Publish(proto.TopicOut(l.device, m.client), 0, false, m.bytes)
	if !token.WaitTimeout(writeTime) || token.Error() != nil {
		l.drops.add(dropFailed)
	}
}
