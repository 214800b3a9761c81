package link

import (
	"context"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what waits to be sent. Answers are counted in bytes, so that a member that
// fetches pictures, or its guests together, leaves room for the others. Notices have a
// queue of their own, which is served first.
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

// backlog counts the bytes that wait, by account.
type backlog struct {
	mu    sync.Mutex
	bytes map[string]int
	total int
}

// add counts a message, and reports whether it may wait.
func (b *backlog) add(m message) bool {
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

func (b *backlog) remove(m message) {
	n := len(m.bytes) + messageBytes
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total -= n
	if b.bytes[m.account] -= n; b.bytes[m.account] == 0 {
		delete(b.bytes, m.account)
	}
}

// Send sends a sealed message to a client and never blocks. msg must not be changed
// afterwards. The error is ErrOffline, ErrFull or ErrMessage. Even without an error the
// message may be lost with the connection; then the client asks again.
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
	if l.backlog.add(m) {
		select {
		case l.outbox <- m:
			return nil
		default:
			l.backlog.remove(m)
		}
	}
	l.drops.add(dropOutbox)
	return ErrFull
}

// send publishes the messages of Notify and of Send, each in order, notices first. After
// ctx has ended it publishes what is left and returns.
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

// publish uses QoS 0: with QoS 1 the message would be kept until it is acknowledged,
// without bound while the broker is away, and sent again when nobody waits for it any
// more. A client that misses an answer asks again and gets the first answer. The token
// completes with the write, which is bounded in time.
func (l *Link) publish(client mqtt.Client, m message) {
	defer l.backlog.remove(m)
	if !client.IsConnectionOpen() { // the library would report success
		l.drops.add(dropOffline)
		return
	}
	token := client.Publish(proto.TopicOut(l.device, m.client), 0, false, m.bytes)
	if !token.WaitTimeout(writeTime) || token.Error() != nil {
		l.drops.add(dropFailed)
	}
}
