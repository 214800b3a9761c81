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
	// Account names the allowance that a client draws on; false for one that is no
	// member. It must not block: it is asked for every message, before anything about
	// the message is verified.
	Account(proto.ClientID) (string, bool)
	// Receive takes one message. Calls come in the order of arrival, one at a
	// time; while one lasts, messages wait in a bounded queue.
	Receive(ctx context.Context, from proto.ClientID, msg []byte)
	// Online is called whenever the device has come to its broker. It is short.
	Online()
}

// inboxLength is that of the queue, in messages of at most proto.MaxMessage bytes. It
// holds what one member and the strangers may send at once, and leaves room.
const inboxLength = 160

// Link is the connection to the broker.
type Link struct {
	dialer    atomic.Pointer[dialer] // another one after Take
	device    proto.DeviceID
	log       *slog.Logger
	condition *health.Condition
	to        Receiver
	waits     string // why there is no broker; empty where there is one

	birth, will []byte // the two values of the status topic

	drops   drops
	limiter limiter       // used by the MQTT library's handler alone
	pauses  *pauses       // between the attempts of the MQTT library's connecting goroutine
	inbox   chan message  // from the handler to deliver
	changed chan struct{} // holds one: the connection may have changed
	taken   chan struct{} // holds one: there is another certificate
	echoed  chan struct{} // holds one: the broker carried the birth back

	session atomic.Pointer[session] // nil unless one serves: subscribed, and said to be born
	online  atomic.Bool             // one serves; false too once Run ends

	outbox   chan message // from Send to send
	budget   budget       // of the outbox
	notices  chan notice  // from Notify to send
	notified atomic.Int64 // notices that were taken and of which done was not called
	acks     chan unacknowledged

	mu     sync.Mutex
	conn   *conn     // the newest connection, nil before the first
	last   error     // why the last attempt or session ended
	served time.Time // when the last session began to serve; zero once it has been paused for
	rivals rivals

	attempt context.CancelCauseFunc // ends the newest attempt to connect
	renewal *renewal                // nil unless Reconnect waits
}

// New validates and starts nothing. The certificate's common name must be device. birth is the status while the device
// is online; of it the statement of the epoch stays when it goes.
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
		budget:    budget{bytes: map[string]int{}},
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

// Waiting is the link of a device that has no broker yet: it is offline, and its condition
// gives the reason.
func Waiting(reason string, board *health.Board) *Link {
	return &Link{condition: board.Condition("broker"), waits: reason}
}

// String names the component.
func (l *Link) String() string { return "link" }

// Deliver says who receives. It is called once, before Run.
func (l *Link) Deliver(to Receiver) { l.to = to }

// How long the end of Run lasts at most, beyond the bounds of dial.go.
const (
	lingerTime     = 250 * time.Millisecond // for what other parts send while they end too, or before Take's certificate is shown
	farewellTime   = 2 * time.Second        // for what waits in the outbox and for the offline status
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
	client.Connect() // retries by itself; notify and follow learn how it goes

	var wg sync.WaitGroup
	wg.Go(func() { l.deliver(ctx) })
	sent := make(chan struct{})
	wg.Go(func() { defer close(sent); l.send(sending, client) })
	wg.Go(l.acknowledge)
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

// options sets the MQTT library up. All waiting between attempts is in pauses,
// where it can be cut short: the library's own is set to next to nothing. It does not
// reconnect by itself: what a lost connection left unacknowledged it would send again, as
// something of long ago, and would keep the packet identifier of each until it is
// acknowledged. After 65535 that are not it could not even subscribe.
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
