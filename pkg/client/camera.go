package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Camera is a connection to one paired camera through its broker. It reconnects
// by itself until Close. All its methods may be called from any goroutine.
type Camera struct {
	record    home.Record
	keys      *home.Keys
	household *home.Household
	kept      uint64 // the number of entries of which a camera keeps the hashes, at least
	log       *slog.Logger
	conn      *broker.Conn

	acts     chan func(*state)
	revoking chan struct{} // full while a revocation is under way
	alarms   chan home.Alarm
	stop     chan struct{}
	done     chan struct{}
	close    func()
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup                       // what Dial began beside
	held     atomic.Pointer[accesslog.Checkpoint] // by Hold
	dropped  atomic.Uint64                        // messages that were not for this client, or not signed
	doubting atomic.Bool                          // doubt is at work
	offline  atomic.Pointer[time.Time]            // when the broker said last that the camera is gone
}

// state is the owner goroutine's.
type state struct {
	nonce    string // the last live one heard
	sequence uint64 // the last one used
	status   *proto.Status
	calls    map[string]chan<- reply // by jti
	sessions map[string]*session     // by sid
	notices  notices
	later    *envelope.Epoch           // in force, if the record's is over
	clock    int64                     // the camera's, where it is a day off: Unix seconds
	names    map[proto.ClientID]string // of members, as last listed
	settled  []string                  // sentences about revocations that were answered late
}

// Dial connects to the broker of record and subscribes. The camera itself may be
// offline. h keeps what must outlive the process, and what several share; it may
// be nil. A revocation that was not answered is repeated first.
func Dial(ctx context.Context, h *home.Home, keys *home.Keys, record home.Record, log *slog.Logger) (*Camera, error) {
	household, err := home.OpenHousehold(h, record)
	if err != nil {
		return nil, err
	}
	c := &Camera{record: record, keys: keys, household: household, kept: accesslog.KeptHashes, log: log.With("component", "client"),
		acts:     make(chan func(*state)),
		revoking: make(chan struct{}, 1), alarms: make(chan home.Alarm, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if _, err := c.household.Checkpoint(); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.close = sync.OnceFunc(c.shutdown)
	if c.conn, err = broker.Dial(ctx, record.Broker, record.Device, keys.ID(), c.log); err != nil {
		c.cancel()
		return nil, err
	}
	go c.run()
	c.wg.Go(c.catchUp)
	return c, nil
}

// catchUp does what a former process could not: it repeats revocations that were
// not answered, and tells of an alarm that the others don't know.
func (c *Camera) catchUp() {
	if err := c.settle(c.ctx); err != nil {
		c.log.Warn("a revocation is not answered", "error", err)
		return
	}
	c.tell(c.ctx)
}

// Record is what the connection was made with.
func (c *Camera) Record() home.Record { return c.record }

// Keys are the client's.
func (c *Camera) Keys() *home.Keys { return c.keys }

// Dropped returns the number of messages that were dropped: too many, not for this
// client, or not signed by the camera.
func (c *Camera) Dropped() uint64 { return c.conn.Dropped() + c.dropped.Load() }

// Close ends the connection; calls under way fail with ErrClosed.
func (c *Camera) Close() { c.close() }

func (c *Camera) shutdown() {
	c.cancel()
	c.conn.Close()
	close(c.stop)
	<-c.done
	c.wg.Wait()
}

// run owns state: what callers want and what the broker brings go through here.
func (c *Camera) run() {
	defer close(c.done)
	s := &state{calls: map[string]chan<- reply{}, sessions: map[string]*session{}, names: map[proto.ClientID]string{}}
	s.notices = notices{last: c.household.NoticeCursor(), grace: time.NewTimer(noticeGrace)}
	defer s.notices.grace.Stop()
	s.sequence = c.household.Sequence()
	before := s.sequence
	for {
		select {
		case act := <-c.acts:
			act(s)
		case m := <-c.conn.Messages():
			c.handle(s, m)
		case <-s.notices.grace.C:
			c.overdue(s)
		case <-c.stop:
			c.end(s, before)
			return
		}
	}
}

func (c *Camera) end(s *state, before uint64) {
	for _, live := range s.sessions {
		close(live.out)
	}
	s.notices.close()
	if s.sequence == before {
		return
	}
	if err := c.household.RaiseSequence(s.sequence); err != nil {
		c.log.Warn("can't keep the request number", "error", err)
	}
}

// do runs act on the owner goroutine and waits for it.
func (c *Camera) do(ctx context.Context, act func(*state)) error {
	ran := make(chan struct{})
	select {
	case c.acts <- func(s *state) { act(s); close(ran) }:
		<-ran
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status is the camera's last word, or the broker's about it, if there was one. It
// is not signed.
func (c *Camera) Status(ctx context.Context) (status proto.Status, known bool) {
	_ = c.do(ctx, func(s *state) {
		if s.status != nil {
			status, known = *s.status, true
		}
	})
	return status, known
}

// handle judges one message of the broker.
func (c *Camera) handle(s *state, m broker.Message) {
	if m.Topic == proto.TopicStatus(c.record.Device) {
		c.handleStatus(s, m.Payload)
		return
	}
	out, err := envelope.OpenOut(m.Payload, c.keys.Opener(), c.household.Keys.Sig)
	switch {
	case err != nil:
		c.dropped.Add(1)
	case out.Answer != nil && c.mine(out.Answer.Issuer, out.Answer.Audience, out.Answer.Epoch):
		s.answer(*out.Answer)
	case out.Signal != nil && c.mine(out.Signal.Issuer, out.Signal.Audience, out.Signal.Epoch):
		s.signal(*out.Signal)
	case out.Notice != nil && c.mine(out.Notice.Issuer, out.Notice.Audience, out.Notice.Epoch):
		if err := c.notice(s, *out.Notice); err != nil {
			c.dropped.Add(1)
		}
	default:
		c.dropped.Add(1)
	}
}

func (c *Camera) mine(from proto.DeviceID, to proto.ClientID, epoch uint64) bool {
	return from == c.record.Device && to == c.keys.ID() && epoch == c.record.Epoch
}

func (c *Camera) handleStatus(s *state, payload []byte) {
	var status proto.Status
	if len(payload) > proto.MaxMessage || json.Unmarshal(payload, &status) != nil {
		c.dropped.Add(1)
		return
	}
	s.status = &status
	if !status.Online {
		now := time.Now()
		c.offline.Store(&now)
	}
	if e := laterEpoch(c.record, status); e != nil {
		s.later = e
		s.notices.close()
	}
	if s.later == nil {
		return
	}
	for _, to := range s.calls {
		deliver(to, reply{err: moved(c.record, *s.later)})
	}
}

// randomID has 128 random bits.
func randomID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

// Verified returns the number of entries up to which the access log is verified.
func (c *Camera) Verified() uint64 {
	cp, err := c.household.Checkpoint()
	if err != nil {
		c.log.Warn("can't read the last checkpoint", "error", err)
	}
	return cp.Size
}

// Warnings returns those of the household, and what this connection found out.
func (c *Camera) Warnings(ctx context.Context) []string {
	out := c.household.Warnings()
	_ = c.do(ctx, func(s *state) { // a camera that is closed has no more to say
		out = append(out, s.settled...)
		if s.clock != 0 {
			out = append(out, fmt.Sprintf("The camera's clock says %s, which is more than a day off. Schedules and ends of grants go by it: look at its time server.",
				time.Unix(s.clock, 0).Format(time.DateTime)))
		}
	})
	return out
}
