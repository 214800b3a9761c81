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

// open is the MQTT library's way to a connection.
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

// notify is told by the MQTT library of each step, and pauses it before an
// attempt. Connected and Lost come from goroutines of their own, in any order:
// follow looks at how things are instead.
func (l *Link) notify(ctx context.Context, n mqtt.ConnectionNotification) {
	switch n := n.(type) {
	case mqtt.ConnectionNotificationConnecting:
		l.pauses.wait(ctx, l.lastServed())
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

// lastServed tells, once, for how long the last session has served; 0 if it did not.
func (l *Link) lastServed() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := l.served
	l.served = time.Time{}
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since), 1)
}

// follow makes a new connection serve. It takes the connection that serves already,
// if any, and returns the one that serves now.
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
		c.cut(err) // the library notices, and note is told the reason
		return nil
	}
	l.mu.Lock()
	l.served = time.Now()
	l.mu.Unlock()
	l.serve(c)
	l.renewed(c)
	l.to.Online()
	return c
}

// assess brings the health condition up to how the connection is. It returns when to
// look again, zero if that is not needed: somebody who used the device's name is
// spoken of for a while, also while the device has its session back.
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

// announce subscribes and then publishes the birth, so that whoever sees the
// device online can reach it. The birth must come back: a broker may answer what its
// topic rules forbid as if it were granted.
//
// The subscription has QoS 0: a request that is lost with a connection is asked
// again by its client under the same identifier, and a broker that may send
// nothing else has no hold on the library's store.
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

// awaitEcho waits for the birth, but not on a connection that is lost meanwhile: nobody
// makes another one before it returns.
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

// echo takes what the broker carries of the device's own status.
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

// wait bounds a token: some never complete after a reconnect.
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

// end says that the device is offline and disconnects, once the sender is done. A
// connection that takes nothing any more is cut.
func (l *Link) end(client mqtt.Client, sent <-chan struct{}) {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil {
		defer time.AfterFunc(farewellTime, func() { c.cut(errStopping) }).Stop()
	}
	<-sent
	if client.IsConnectionOpen() {
		client.Publish(proto.TopicStatus(l.device), 1, true, l.will).WaitTimeout(farewellTime)
		client.Disconnect(uint(disconnectTime.Milliseconds()))
		return
	}
	if c != nil {
		c.cut(errStopping) // it may be waiting for its CONNACK
	}
	// Without a connection the library waits the whole time for one to send its
	// DISCONNECT to, and goes on for as long after the attempt that it was in.
	client.Disconnect(uint(abandonTime.Milliseconds()))
	time.Sleep(abandonTime)
}
