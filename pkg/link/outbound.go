package link

import (
	"context"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what waits to be sent. Answers are counted in bytes: a member that fetches
// pictures, or its guests together, leaves the way out to the others. Notices have a
// queue of their own, which goes first.
const (
	outboxBytes  = 1 << 20
	accountBytes = 128 << 10 // of outboxBytes
	messageBytes = 512       // what a message costs beside its own bytes
	outboxLength = outboxBytes / messageBytes
)

type message struct {
	client  proto.ClientID
	bytes   []byte
	account string // outbound
}

// budget counts the bytes that wait, by account.
type budget struct {
	mu    sync.Mutex
	bytes map[string]int
	total int
}

func (b *budget) take(m message) bool {
	n := len(m.bytes) + messageBytes
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total+n > outboxBytes || b.bytes[m.account]+n > accountBytes {
		return false
	}
	b.total += n
	b.bytes[m.account] += n
	return true
}

func (b *budget) give(m message) {
	n := len(m.bytes) + messageBytes
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total -= n
	if b.bytes[m.account] -= n; b.bytes[m.account] == 0 {
		delete(b.bytes, m.account)
	}
}

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
	account, _ := l.to.Account(to) // all who are no members share one
	m := message{to, msg, account}
	if l.budget.take(m) {
		select {
		case l.outbox <- m:
			return nil
		default:
			l.budget.give(m)
		}
	}
	l.drops.add(dropOutbox)
	return ErrFull
}

// send publishes what Send and Notify took, each in order, notices first. After ctx has
// ended it empties both and returns.
func (l *Link) send(ctx context.Context, client mqtt.Client) {
	defer close(l.acks)
	for {
		select {
		case n := <-l.notices:
			l.publishNotice(client, n)
			continue
		default:
		}
		select {
		case n := <-l.notices:
			l.publishNotice(client, n)
		case m := <-l.outbox:
			l.publish(client, m)
		case <-ctx.Done():
			l.empty(client)
			return
		}
	}
}

func (l *Link) empty(client mqtt.Client) {
	for {
		select {
		case n := <-l.notices:
			l.publishNotice(client, n)
			continue
		default:
		}
		select {
		case m := <-l.outbox:
			l.publish(client, m)
		default:
			return
		}
	}
}

// publish uses QoS 0: with QoS 1 it would have to be kept until it is acknowledged,
// without bound while the broker is away, and sent again when nobody waits for it any
// more. A client that misses an answer asks again and gets the first answer. The token
// completes with the write, which is bounded.
func (l *Link) publish(client mqtt.Client, m message) {
	defer l.budget.give(m)
	if !client.IsConnectionOpen() { // the library would report success
		l.drops.add(dropOffline)
		return
	}
	token := client.Publish(proto.TopicOut(l.device, m.client), 0, false, m.bytes)
	if !token.WaitTimeout(writeTime) || token.Error() != nil {
		l.drops.add(dropFailed)
	}
}
