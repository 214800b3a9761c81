package link

import (
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/proto"
)

// noticesLength bounds the notices that are on their way. Whoever sends them keeps them,
// and has one for each member on its way.
const noticesLength = 256

// ackTime bounds the wait for a PUBACK. On a slow line the notice itself takes a while;
// that the connection is dead is noticed by other ways before.
const ackTime = time.Minute

// notice is a message whose sender is told what became of it.
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

// Notify is Send for what must not be lost: it goes before all that Send took, and done
// is called, by another goroutine, when the broker has acknowledged it, or with an error
// when that can't be known any more. If Notify itself returns an error done is not called.
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

// publishNotice uses QoS 1 and does not wait for the acknowledgement: acknowledge does.
func (l *Link) publishNotice(client mqtt.Client, n notice) {
	s := l.session.Load()
	if s == nil || !client.IsConnectionOpen() {
		n.done(ErrOffline)
		return
	}
	token := client.Publish(proto.TopicOut(l.device, n.client), 1, false, n.bytes)
	l.acks <- unacknowledged{s, token, n.done} // has room for all that Notify takes
}

// acknowledge reports to the senders of notices what became of them, until send has ended.
func (l *Link) acknowledge() {
	for u := range l.acks {
		u.done(u.wait())
	}
}

// wait bounds the token: one of a session that is over never completes. A broker that
// acknowledges nothing is left.
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
	over chan struct{} // closed when it does not any more
}

// serve makes c the session that serves; nil: none does.
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
