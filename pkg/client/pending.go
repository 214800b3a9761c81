package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// pendingVersion is the format of the unanswered revocations' file.
const pendingVersion = 1

// maxPending bounds the revocations that wait for their answers.
const maxPending = proto.MaxMembers

// Unanswered is a revocation that the camera has not answered: whether the member
// is removed is not known yet. It is repeated before anything else is sent to that
// camera, under the same jti, so that it is carried out once. docs/protocol.md 4.6.
type Unanswered struct {
	ID         string          `json:"jti"`
	Epoch      uint64          `json:"ep"`
	Body       json.RawMessage `json:"body"`         // proto.Revoke as it was sent first
	Checkpoint string          `json:"cp,omitempty"` // as it was sent first
	Name       string          `json:"name,omitempty"`
	Since      int64           `json:"since"` // Unix seconds by this computer's clock
}

// Who is the member's name, or its key's where that is not known.
func (u Unanswered) Who() string {
	var body proto.Revoke
	if u.Name != "" || json.Unmarshal(u.Body, &body) != nil {
		return u.Name
	}
	return string(body.Client)
}

func (u Unanswered) request() proto.Request {
	return proto.Request{Op: proto.OpRevoke, ID: u.ID, Body: u.Body}
}

type pendingFile struct {
	Version int          `json:"version"`
	Revokes []Unanswered `json:"revokes"`
}

// pending lists the unanswered revocations of an epoch, the oldest first.
func (l *ledger) pending(epoch uint64) ([]Unanswered, error) {
	data, err := l.read(filePending)
	if err != nil || data == nil {
		return nil, err
	}
	all, err := parsePending(l.path(filePending), data)
	// Those of an earlier epoch are moot: it has no members any more.
	return slices.DeleteFunc(all, func(u Unanswered) bool { return u.Epoch != epoch }), err
}

func parsePending(path string, data []byte) ([]Unanswered, error) {
	var f pendingFile
	if err := parseVersioned(path, data, pendingVersion, &f); err != nil {
		return nil, err
	}
	for _, u := range f.Revokes {
		var body proto.Revoke
		if u.ID == "" || json.Unmarshal(u.Body, &body) != nil || !body.Client.Valid() {
			return nil, broken(path, errors.New("an entry is no revocation"))
		}
	}
	return f.Revokes, nil
}

// await keeps a revocation until answered is called for it.
func (l *ledger) await(u Unanswered) error {
	return l.change(func() error {
		all, err := l.pending(u.Epoch)
		if err != nil {
			return err
		}
		if len(all) >= maxPending {
			return fmt.Errorf("%d revocations wait for an answer already", len(all))
		}
		return l.writeJSON(filePending, pendingFile{pendingVersion, append(all, u)})
	})
}

// answered forgets a revocation.
func (l *ledger) answered(u Unanswered) error {
	return l.change(func() error {
		all, err := l.pending(u.Epoch)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(o Unanswered) bool { return o.ID == u.ID })
		if len(all) == 0 {
			return l.remove(filePending)
		}
		return l.writeJSON(filePending, pendingFile{pendingVersion, all})
	})
}

// Unanswered lists the revocations that the camera has not answered.
func (c *Camera) Unanswered() []Unanswered {
	l, err := c.ledger.pending(c.record.Epoch)
	if err != nil {
		c.log.Warn("can't read the unanswered revocations", "error", err)
	}
	return l
}

// revoke keeps the request before it is sent, and until it is answered.
func (c *Camera) revoke(ctx context.Context, r proto.Request, from accesslog.Checkpoint) (proto.Answer, error) {
	var body proto.Revoke
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return proto.Answer{}, fmt.Errorf("read body of revoke: %w", err)
	}
	u := Unanswered{ID: r.ID, Epoch: c.record.Epoch, Body: r.Body, Checkpoint: from.Note, Since: time.Now().Unix()}
	if err := c.do(ctx, func(s *state) { u.Name = s.names[body.Client] }); err != nil {
		return proto.Answer{}, err
	}
	unlock, err := c.oneRevoke(ctx)
	if err != nil {
		return proto.Answer{}, err
	}
	defer unlock()
	if err := c.ledger.await(u); err != nil { // better a revocation that is forgotten than none
		c.log.Warn("can't keep the revocation", "error", err)
	}
	a, err := c.finish(ctx, u, from)
	if err == nil || !c.unanswered(u.ID) {
		return a, err
	}
	return a, problem(err, "%s The removal of %s is kept, and is sent again before anything else with the next command.", err, u.Who())
}

func (c *Camera) unanswered(id string) bool {
	return slices.ContainsFunc(c.Unanswered(), func(u Unanswered) bool { return u.ID == id })
}

// final tells of refusals that will not be another answer when the camera is asked again.
func final(c proto.Code) bool {
	switch c {
	case proto.CodeStale, proto.CodeBusy, proto.CodeStorage, proto.CodeInternal:
		return false
	}
	return true
}

// finish sends a revocation and forgets it once it is answered.
func (c *Camera) finish(ctx context.Context, u Unanswered, from accesslog.Checkpoint) (proto.Answer, error) {
	a, err := c.exchange(ctx, u.request(), from)
	var refused *Refused
	if err != nil && !(errors.As(err, &refused) && final(refused.Code)) {
		return a, err
	}
	if kept := c.ledger.answered(u); kept != nil {
		c.log.Warn("can't forget the revocation", "error", kept)
	}
	return a, err
}

// settle repeats what is unanswered. Nothing else goes to the camera before.
func (c *Camera) settle(ctx context.Context) error {
	if len(c.Unanswered()) == 0 {
		return nil
	}
	unlock, err := c.oneRevoke(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, u := range c.Unanswered() { // those that another call has left
		if err := c.repeat(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// oneRevoke waits until no other goroutine has a revocation under way.
func (c *Camera) oneRevoke(ctx context.Context) (unlock func(), err error) {
	select {
	case c.revoking <- struct{}{}:
		return func() { <-c.revoking }, nil
	case <-c.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// repeat sends a revocation again. What the camera decided is the news, whatever it is.
func (c *Camera) repeat(ctx context.Context, u Unanswered) error {
	if err := c.greet(ctx); err != nil {
		return c.stillUnanswered(u, err)
	}
	// It carries what it carried first: the answer that comes may be one to an earlier
	// sending, which a broker held back, and one that widens stays bound to what the
	// person had seen. The zero value, from which nothing is proved, if there was none.
	from, _ := c.logOf.parse(u.Checkpoint)
	_, err := c.finish(ctx, u, from)
	if err != nil && c.unanswered(u.ID) {
		return c.stillUnanswered(u, err)
	}
	return c.do(ctx, func(s *state) { s.settled = append(s.settled, settledText(u, err)) })
}

func (c *Camera) stillUnanswered(u Unanswered, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return err
	}
	return problem(err, "The removal of %s, asked for at %s, is not answered yet, and nothing else is sent to the camera before. %s",
		u.Who(), time.Unix(u.Since, 0).Format(time.DateTime), err)
}

func settledText(u Unanswered, refused error) string {
	if refused != nil {
		return fmt.Sprintf("The removal of %s, asked for at %s, was refused: %s", u.Who(), time.Unix(u.Since, 0).Format(time.DateTime), refused)
	}
	return fmt.Sprintf("The camera has now confirmed the removal of %s, asked for at %s.", u.Who(), time.Unix(u.Since, 0).Format(time.DateTime))
}
