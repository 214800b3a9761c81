package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Receiver takes the messages that clients send to the device.
type Receiver interface {
	// Account returns the name under which a client's messages are limited, and false if
	// the client is not a member. It must not block: it is called for every message, before
	// anything about the message is verified.
	Account(proto.ClientID) (string, bool)
	// Receive handles one message. It is called for one message at a time, in the order
	// of arrival; meanwhile others wait in a bounded queue.
	Receive(ctx context.Context, from proto.ClientID, msg []byte)
	// Online is called each time the device has come online. It must return soon.
	Online()
}

// inboxLength is the length of the queue, in messages of at most proto.MaxMessage bytes. It
// has room for the bursts of one member and of the strangers, and more.
const inboxLength = 160

// Link is the connection to the broker. It is safe for concurrent use.
type Link struct {
	dialer    atomic.Pointer[dialer] // Take replaces it
	device    proto.DeviceID
	log       *slog.Logger
	condition *health.Condition
	to        Receiver
	waits     string // why there is no broker; empty where there is one

	birth, will []byte // the two values of the status topic

	drops   drops
	limiter limiter       // only the MQTT library's handler uses it
	pauses  *pauses       // between the attempts of the MQTT library's connecting goroutine
	inbox   chan message  // from the handler to deliver
	changed chan struct{} // holds one: the connection may have changed
	taken   chan struct{} // holds one: there is another certificate
	echoed  chan struct{} // holds one: the broker carried the birth back

	session atomic.Pointer[session] // nil unless one serves: it has subscribed and published the birth
	online  atomic.Bool             // a session serves, and Run has not ended

	outbox   chan message // from Send to send
	backlog  backlog      // of the outbox
	notices  chan notice  // from Notify to send
	notified atomic.Int64 // notices whose done has not been called yet
	acks     chan unacknowledged

	mu     sync.Mutex
	conn   *conn     // the newest connection, nil before the first
	last   error     // why the last attempt or session ended
	served time.Time // when the last session began to serve; zero once it has been paused for
	rivals rivals

	attempt context.CancelCauseFunc // ends the newest attempt to connect
	renewal *renewal                // nil unless Reconnect waits
}

// New validates and starts nothing. The certificate's common name must be device. birth is
// the status while the device is online; its statement of the epoch stays when it goes
// offline.
func New(cfg Config, log *slog.Logger, board *health.Board, device proto.DeviceID, birth proto.Status, login Login) (*Link, error) {
	t, err := newTarget(cfg, login)
	if err != nil {
		return nil, err
	}
	if err := t.belongsTo(device); err != nil {
		return nil, err
	}
	l := &Link{
		device:    device,
		log:       log.With("component", "link"),
		condition: board.Condition("broker"),
		limiter:   newLimiter(),
		pauses:    newPauses(),
		inbox:     make(chan message, inboxLength),
		outbox:    make(chan message, outboxLength),
		backlog:   backlog{bytes: map[string]int{}},
		notices:   make(chan notice, noticesLength),
		acks:      make(chan unacknowledged, noticesLength),
		changed:   make(chan struct{}, 1),
		taken:     make(chan struct{}, 1),
		echoed:    make(chan struct{}, 1),
	}
	l.dialer.Store(newDialer(t))
	if l.birth, err = json.Marshal(birth); err != nil {
		return nil, fmt.Errorf("write status: %w", err)
	}
	if l.will, err = json.Marshal(proto.Status{Epoch: birth.Epoch}); err != nil {
		return nil, fmt.Errorf("write status: %w", err)
	}
	return l, nil
}

// Waiting returns the link of a device that has no broker yet: it is offline, and its health
// condition gives the reason.
func Waiting(reason string, board *health.Board) *Link {
	return &Link{condition: board.Condition("broker"), waits: reason}
}

// String names the component.
func (l *Link) String() string { return "link" }

// Deliver sets the receiver. It must be called once, before Run.
func (l *Link) Deliver(to Receiver) { l.to = to }

// How long the end of Run lasts at most, beyond the bounds of dial.go.
const (
	lingerTime     = 250 * time.Millisecond // for what other parts send while they end too, or before Take's certificate is shown
	offlineTime    = 2 * time.Second        // for what waits in the outbox and for the offline status
	disconnectTime = 3 * time.Second
	abandonTime    = 20 * time.Millisecond // instead, where there is no connection
)

// Run keeps the connection until ctx ends. It calls ready at once: a device
// without its broker serves all the same, and the health condition says so.
func (l *Link) Run(ctx context.Context, ready func()) error {
	if l.to == nil {
		return errors.New("link: nobody receives")
	}
	if l.waits != "" {
		l.condition.Set(health.Degraded, l.waits)
		ready()
		<-ctx.Done()
		return nil
	}
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	client := mqtt.NewClient(l.options(ctx))
	client.Connect() // retries by itself; notify and follow see the results

	var wg sync.WaitGroup
	wg.Go(func() { l.deliver(ctx) })
	sent := make(chan struct{})
	wg.Go(func() { defer close(sent); l.send(sending, client) })
	wg.Go(func() {
		for u := range l.acks { // send closes it
			u.done(u.wait())
		}
	})
	wg.Go(func() { l.drops.report(ctx, l.log) })
	ready()

	var announced *conn
	again := time.NewTimer(0) // to look once more, although nothing has changed
	defer again.Stop()
	var renew <-chan time.Time // when to connect again, with another certificate
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-l.changed:
			if !client.IsConnected() { // nor on its way
				client.Connect()
			}
			announced = l.follow(ctx, client, announced)
		case <-l.taken:
			renew = time.After(lingerTime)
		case <-renew:
			l.cutOlder()
		case <-again.C:
		}
		if until := l.assess(client); !until.IsZero() {
			again.Reset(time.Until(until))
		}
	}
	if l.online.Load() {
		time.Sleep(lingerTime)
	}
	l.online.Store(false)
	stopSending()
	l.end(client, sent)
	l.serve(nil) // nothing is acknowledged any more
	wg.Wait()
	return nil
}

// options returns the MQTT library's options. All waiting between attempts is in pauses,
// where it can be cut short, so the library's own is almost zero. The library must not
// reconnect by itself: it would send unacknowledged messages of the lost connection again,
// however old, and keep the packet identifier of each until it is acknowledged. After
// 65535 of them it could not even subscribe.
func (l *Link) options(ctx context.Context) *mqtt.ClientOptions {
	d := l.dialer.Load()
	return mqtt.NewClientOptions().
		AddBroker("mqtts://"+d.address()). // for the library's books; open dials
		SetClientID(d.clientID).
		SetProtocolVersion(4). // MQTT 3.1.1, without a second attempt at 3.1
		SetCleanSession(true). // requests that waited in a session would be stale
		SetOrderMatters(true).
		SetKeepAlive(d.keepalive).
		SetPingTimeout(min(d.keepalive, answerTime)).
		SetConnectTimeout(connectTime).
		SetWriteTimeout(writeTime).
		SetAutoReconnect(false).
		SetConnectRetry(true).
		SetConnectRetryInterval(time.Millisecond).
		SetBinaryWill(proto.TopicStatus(l.device), l.will, 1, true).
		SetConnectionNotificationHandler(func(_ mqtt.Client, n mqtt.ConnectionNotification) { l.notify(ctx, n) }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return l.open(ctx) })
}
