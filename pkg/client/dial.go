package client

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Dial connects to the broker of record and subscribes. The camera itself may be
// offline. h keeps what must outlive the process, and what several processes share; it
// may be nil. Revocations that were not answered are sent again first.
func Dial(ctx context.Context, h *home.Home, keys *home.Keys, record home.Record, log *slog.Logger) (*Camera, error) {
	household, err := home.OpenHousehold(h, record)
	if err != nil {
		return nil, err
	}
	c := &Camera{record: record, keys: keys, household: household, kept: accesslog.KeptHashes, log: log.With("component", "client"),
		acts: make(chan func(*state)), revoking: make(chan struct{}, 1), alarms: make(chan home.Alarm, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if _, err := c.household.Checkpoint(); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.close = sync.OnceFunc(func() {
		c.cancel()
		c.conn.Close()
		close(c.stop)
		<-c.done
		c.wg.Wait()
	})
	if c.conn, err = broker.Dial(ctx, record.Broker, record.Device, keys.ID(), c.log); err != nil {
		c.cancel()
		return nil, err
	}
	go c.run()
	c.wg.Go(func() { // what an earlier process could not do
		if err := c.repeatPending(c.ctx); err != nil {
			c.log.Warn("a revocation is not answered", "error", err)
			return
		}
		c.shareAlarm(c.ctx)
	})
	return c, nil
}

// Close ends the connection; calls under way fail with ErrClosed.
func (c *Camera) Close() { c.close() }

// run is the goroutine that owns state. What callers ask for and what the broker delivers
// comes here.
func (c *Camera) run() {
	defer close(c.done)
	s := &state{calls: map[string]chan<- reply{}, sessions: map[string]*session{}, asked: map[string]func(){}, names: map[proto.ClientID]string{}}
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
			return
		}
	}
}

// handle verifies one message of the broker and passes it on.
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
		s.announce(*out.Notice)
		check, err := c.notice(s, *out.Notice)
		if err != nil {
			c.dropped.Add(1)
		}
		if check {
			c.checkLog()
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

// checkLog asks for the camera's status, so that its log is compared with what was
// verified last. It does so once at a time, and not more often than every noticeGrace,
// whatever a broker repeats.
func (c *Camera) checkLog() {
	if !c.checking.CompareAndSwap(false, true) {
		return
	}
	c.wg.Go(func() {
		defer c.checking.Store(false)
		if _, err := c.Call(c.ctx, proto.OpStatus, "", nil); err != nil {
			c.log.Info("the access log can't be compared", "error", err)
		}
		select {
		case <-time.After(noticeGrace):
		case <-c.ctx.Done():
		}
	})
}
