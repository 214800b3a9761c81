package link

import (
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// noticesLength bounds the notices that are on their way. Their sender keeps them, and sends
// one at a time to each member.
const noticesLength = 256

// ackTime bounds the wait for a PUBACK. On a slow line the notice itself takes a while; a
// dead connection is noticed earlier in other ways.
const ackTime = time.Minute

// notice is a message; done gets its result.
type notice struct {
	message
	done func(error)
}

// unacknowledged is a notice that was published.
type unacknowledged struct {
	session *session
	token   mqtt.Token
	done    func(error)
}

// Notify sends a message that must not be lost, ahead of all messages of Send. Another
// goroutine calls done when the broker has acknowledged it, or with an error if that can't
// be known any more. If Notify returns an error, done is not called.
func (l *Link) Notify(to proto.ClientID, msg []byte, done func(error)) error {
	if len(msg) > proto.MaxMessage || !to.Valid() {
		return ErrMessage
	}
	if !l.online.Load() {
		return ErrOffline
	}
	if l.notified.Add(1) > noticesLength {
		l.notified.Add(-1)
		return ErrFull
	}
	l.notices <- notice{message{client: to, bytes: msg}, func(err error) { // has room for as many
		l.notified.Add(-1)
		done(err)
	}}
	return nil
}

// publishNotice uses QoS 1 and does not wait for the acknowledgement; Run does.
func (l *Link) publishNotice(client mqtt.Client, n notice) {
	s := l.session.Load()
	if s == nil || !client.IsConnectionOpen() {
		n.done(ErrOffline)
		return
	}
	token := client.Publish(proto.TopicOut(l.device, n.client), 1, false, n.bytes)
	l.acks <- unacknowledged{s, token, n.done} // has room for all that Notify takes
}

// wait waits for the acknowledgement, but not for ever: a token of a session that is over
// never completes. A broker that does not acknowledge is disconnected.
func (u unacknowledged) wait() error {
	t := time.NewTimer(ackTime)
	defer t.Stop()
	select {
	case <-u.token.Done():
		return u.token.Error()
	default:
	}
	select {
	case <-u.token.Done():
		return u.token.Error()
	case <-u.session.over:
		return ErrOffline
	case <-t.C:
		u.session.conn.cut(errSilent)
		return errSilent
	}
}

// session is a connection that serves.
type session struct {
	conn *conn
	over chan struct{} // closed when it no longer serves
}

// serve makes c the session that serves. If c is nil, none does.
func (l *Link) serve(c *conn) {
	var now *session
	if c != nil {
		now = &session{conn: c, over: make(chan struct{})}
	}
	if before := l.session.Swap(now); before != nil {
		close(before.over)
	}
	l.online.Store(c != nil)
}
