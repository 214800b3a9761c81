package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// open opens a connection for the MQTT library.
func (l *Link) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.mu.Lock()
	l.attempt = cancel
	l.mu.Unlock()
	c, err := l.dialer.Load().open(ctx)
	if err != nil {
		if errors.Is(context.Cause(ctx), errReconnect) {
			err = errReconnect
		}
		return nil, err
	}
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	return c, nil
}

// notify is called by the MQTT library at each step, and makes it wait before an attempt.
// Connected and Lost come from goroutines of their own, in any order, so follow looks at
// the state of the connection instead.
func (l *Link) notify(ctx context.Context, n mqtt.ConnectionNotification) {
	switch n := n.(type) {
	case mqtt.ConnectionNotificationConnecting:
		l.mu.Lock()
		served := time.Duration(0) // by the last session; it counts once
		if !l.served.IsZero() {
			served = max(time.Since(l.served), 1)
			l.served = time.Time{}
		}
		l.mu.Unlock()
		l.pauses.wait(ctx, served)
	case mqtt.ConnectionNotificationFailed:
		l.mu.Lock()
		l.rivals.refused()
		l.mu.Unlock()
		l.note(n.Reason)
	case mqtt.ConnectionNotificationLost:
		if errors.Is(n.Reason, io.EOF) && l.online.Load() {
			l.mu.Lock()
			l.rivals.ended(time.Now())
			l.mu.Unlock()
		}
		l.note(n.Reason)
	case mqtt.ConnectionNotificationConnected:
		l.poke()
	}
}

func (l *Link) note(why error) {
	l.mu.Lock()
	l.last = why
	l.mu.Unlock()
	l.log.Debug("no broker connection", "error", why)
	l.poke()
}

func (l *Link) poke() {
	select {
	case l.changed <- struct{}{}:
	default: // follow has not yet looked since the last time
	}
}

// follow makes a new connection serve. It is given the connection that serves already, if
// any, and returns the one that serves now.
func (l *Link) follow(ctx context.Context, client mqtt.Client, serving *conn) *conn {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if !client.IsConnectionOpen() {
		l.serve(nil)
		return nil
	}
	if c == serving {
		return serving
	}
	l.serve(nil)
	if err := l.announce(ctx, client); err != nil {
		c.cut(err) // the library notices, and note gets the reason
		return nil
	}
	l.mu.Lock()
	l.served = time.Now()
	l.mu.Unlock()
	l.serve(c)
	l.mu.Lock()
	if r := l.renewal; r != nil && c != r.old { // Reconnect waits for this session
		close(r.done)
		l.renewal = nil
	}
	l.mu.Unlock()
	l.to.Online()
	return c
}

// assess sets the health condition by the state of the connection. It returns when to look
// again, or zero if that is not needed: that somebody else used the device's name is
// reported for a while, even when the device has its session back.
func (l *Link) assess(client mqtt.Client) (again time.Time) {
	now := time.Now()
	l.mu.Lock()
	last := l.last
	until, rival := l.rivals.present(now)
	l.mu.Unlock()
	if rival {
		last, again = errRival, until
	}
	serves := l.online.Load() && client.IsConnectionOpen()
	switch {
	case serves && rival:
		l.condition.Set(health.Degraded, l.dialer.Load().explain(last, now).Sentence)
	case serves:
		l.condition.Set(health.OK, "")
	case last != nil:
		l.condition.Set(health.Failed, l.dialer.Load().explain(last, now).Sentence)
	}
	return again
}

// announce subscribes and then publishes the birth, so that everyone who sees the device
// online can reach it. The birth must come back, because a broker may answer as if it
// granted what its topic rules forbid.
//
// The subscription has QoS 0: if a request is lost with a connection, its client sends it
// again under the same identifier, and the broker can't fill the library's store.
func (l *Link) announce(ctx context.Context, client mqtt.Client) error {
	if err := subscribe(ctx, client, proto.TopicInFilter(l.device), l.handle); err != nil {
		return err
	}
	if err := subscribe(ctx, client, proto.TopicStatus(l.device), l.echo); err != nil {
		return err
	}
	select {
	case <-l.echoed: // of a session before
	default:
	}
	if err := wait(ctx, client.Publish(proto.TopicStatus(l.device), 1, true, l.birth)); err != nil {
		return err
	}
	return l.awaitEcho(ctx, client)
}

// awaitEcho waits for the birth, and returns if the connection is lost meanwhile: there is
// no other connection before it returns.
func (l *Link) awaitEcho(ctx context.Context, client mqtt.Client) error {
	t := time.NewTimer(answerTime)
	defer t.Stop()
	for {
		select {
		case <-l.echoed:
			return nil
		case <-l.changed:
			if !client.IsConnectionOpen() {
				l.poke() // for Run, which looks what has changed
				return ErrOffline
			}
		case <-t.C:
			return errMute
		case <-ctx.Done():
			return errStopping
		}
	}
}

// echo handles messages on the device's own status topic.
func (l *Link) echo(_ mqtt.Client, m mqtt.Message) {
	if m.Retained() || !bytes.Equal(m.Payload(), l.birth) {
		return
	}
	select {
	case l.echoed <- struct{}{}:
	default:
	}
}

func subscribe(ctx context.Context, client mqtt.Client, filter string, handle mqtt.MessageHandler) error {
	token := client.Subscribe(filter, 0, handle)
	if err := wait(ctx, token); err != nil {
		return err
	}
	if t, ok := token.(*mqtt.SubscribeToken); ok && t.Result()[filter] != 0 {
		return errSubscribe
	}
	return nil
}

// wait waits for a token, but not for ever: some never complete after a reconnect.
func wait(ctx context.Context, token mqtt.Token) error {
	t := time.NewTimer(answerTime)
	defer t.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-t.C:
		return errSilent
	case <-ctx.Done():
		return errStopping
	}
}

// end publishes that the device is offline and disconnects, after the sender has ended. A
// connection that is stuck is cut.
func (l *Link) end(client mqtt.Client, sent <-chan struct{}) {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil {
		defer time.AfterFunc(offlineTime, func() { c.cut(errStopping) }).Stop()
	}
	<-sent
	if client.IsConnectionOpen() {
		client.Publish(proto.TopicStatus(l.device), 1, true, l.will).WaitTimeout(offlineTime)
		client.Disconnect(uint(disconnectTime.Milliseconds()))
		return
	}
	if c != nil {
		c.cut(errStopping) // it may be waiting for its CONNACK
	}
	// Without a connection the library waits the whole time for one on which to send its
	// DISCONNECT, and as long again after the attempt that was under way.
	client.Disconnect(uint(abandonTime.Milliseconds()))
	time.Sleep(abandonTime)
}
