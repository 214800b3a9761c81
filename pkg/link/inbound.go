package link

import (
	"context"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// handle is called by the MQTT library for each message, in order. It never blocks. Size
// and rate are checked here, before any queue.
func (l *Link) handle(_ mqtt.Client, m mqtt.Message) {
	from, err := proto.ParseIn(l.device, m.Topic())
	switch {
	case err != nil:
		l.drops.add(dropTopic)
	case m.Retained():
		l.drops.add(dropRetained)
	case len(m.Payload()) > proto.MaxMessage:
		l.drops.add(dropSize)
	case !l.limiter.allow(time.Now(), from, l.to.Account):
		l.drops.add(dropRate)
	default:
		select {
		case l.inbox <- message{client: from, bytes: m.Payload()}:
		default:
			l.drops.add(dropInbox)
		}
	}
}

// deliver passes the messages to the receiver, one at a time.
func (l *Link) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-l.inbox:
			l.to.Receive(ctx, m.client, m.bytes)
		}
	}
}
