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

// Camera is a connection to one paired camera through its broker. It reconnects by
// itself until Close. It is safe for concurrent use.
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
	wg       sync.WaitGroup                       // goroutines besides run
	pinned   atomic.Pointer[accesslog.Checkpoint] // by PinCheckpoint
	dropped  atomic.Uint64                        // messages that were not for this client, or not signed
	checking atomic.Bool                          // checkLog is running
	offline  atomic.Pointer[time.Time]            // when the broker last said that the camera is offline; nil: never
}

// state belongs to the goroutine of run; others use it by do.
type state struct {
	nonce    string    // the newest one
	nonceAt  time.Time // when it came
	sequence uint64    // the last one used
	status   *proto.Status
	calls    map[string]chan<- reply // by jti
	sessions map[string]*session     // by sid
	asked    map[string]func()       // talks that were asked for, by sid: called when the camera announces one; may be nil
	notices  notices
	later    *envelope.Epoch           // the epoch of now, if it is later than the record's
	clock    int64                     // the camera's, if it is more than a day off: Unix seconds
	names    map[proto.ClientID]string // of members, as last listed
	settled  []string                  // sentences about revocations that were answered late
}

// Record returns what the connection was made with.
func (c *Camera) Record() home.Record { return c.record }

// Keys returns the client's keys.
func (c *Camera) Keys() *home.Keys { return c.keys }

// Dropped returns the number of messages that were dropped: too many, not for this
// client, or not signed by the camera.
func (c *Camera) Dropped() uint64 { return c.conn.Dropped() + c.dropped.Load() }

// do runs act in the goroutine that owns state, and waits for it.
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

// Status returns what the camera published last, or the broker in its place, and whether
// there was anything. It is not signed.
func (c *Camera) Status(ctx context.Context) (status proto.Status, known bool) {
	_ = c.do(ctx, func(s *state) {
		if s.status != nil {
			status, known = *s.status, true
		}
	})
	return status, known
}

// randomID returns 128 random bits as text.
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

// reply is an answer, or why there will be none.
type reply struct {
	answer proto.Answer
	err    error
}

// signalQueue bounds the signals of one session that wait to be read.
const signalQueue = 64

// Signal is a message of the camera about a session that is no answer. Signals come in
// order; Missed counts those that were lost just before this one.
type Signal struct {
	Kind   proto.SignalKind
	Body   json.RawMessage
	Missed uint64
}

// session is the receiver of one session's signals.
type session struct {
	out  chan Signal
	last uint64 // index of the last signal handed over
}

const noticeQueue = 64 // of one listener

// notices is the part of state about notices.
type notices struct {
	last      home.NoticeCursor
	listeners []*listener
	recent    [noticeQueue]string // entries of the last ones, by index modulo its length
	announced uint64              // the newest one that an answer named
	grace     *time.Timer         // runs until the announced one is overdue
}

type listener struct {
	out     chan Notice
	skipped bool // its queue was full
}

// Notice is an entry of the access log that the camera sends to each member at once. If
// Missed is true, notices before it, or it itself, did not arrive, and the access log has
// them. docs/protocol.md 4.8.
type Notice struct {
	Index  uint64
	Entry  accesslog.Entry // zero if this notice did not arrive
	Missed bool
}
