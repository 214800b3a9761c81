package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// PendingRevokes returns the revocations that the camera has not answered.
func (c *Camera) PendingRevokes() []home.PendingRevoke {
	l, err := c.household.PendingRevokes()
	if err != nil {
		c.log.Warn("can't read the pending revocations", "error", err)
	}
	return l
}

// revoke sends a revocation, which it keeps from before until it is answered.
func (c *Camera) revoke(ctx context.Context, r proto.Request, from accesslog.Checkpoint) (proto.Answer, error) {
	var body proto.Revoke
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return proto.Answer{}, fmt.Errorf("read body of revoke: %w", err)
	}
	p := home.PendingRevoke{ID: r.ID, Epoch: c.record.Epoch, Body: r.Body, Checkpoint: from.Note, Since: time.Now().Unix()}
	if err := c.do(ctx, func(s *state) { p.Name = s.names[body.Client] }); err != nil {
		return proto.Answer{}, err
	}
	unlock, err := c.oneRevoke(ctx)
	if err != nil {
		return proto.Answer{}, err
	}
	defer unlock()
	if err := c.household.AddPending(p); err != nil { // a revocation that is sent once is better than none
		c.log.Warn("can't keep the revocation", "error", err)
	}
	a, err := c.finish(ctx, p, from)
	if err == nil || !c.pending(p.ID) {
		return a, err
	}
	return a, home.NewProblem(err, "%s The removal of %s is kept, and is sent again before anything else with the next command.", err, p.Who())
}

func (c *Camera) pending(id string) bool {
	return slices.ContainsFunc(c.PendingRevokes(), func(p home.PendingRevoke) bool { return p.ID == id })
}

// final reports whether a refusal is the last word: the camera will not answer otherwise
// when it is asked again.
func final(c proto.Code) bool {
	switch c {
	case proto.CodeStale, proto.CodeBusy, proto.CodeStorage, proto.CodeInternal:
		return false
	}
	return true
}

// finish sends a revocation and forgets it once it is answered.
func (c *Camera) finish(ctx context.Context, p home.PendingRevoke, from accesslog.Checkpoint) (proto.Answer, error) {
	a, err := c.exchange(ctx, proto.Request{Op: proto.OpRevoke, ID: p.ID, Body: p.Body}, from)
	var refused *Refused
	if err != nil && !(errors.As(err, &refused) && final(refused.Code)) {
		return a, err
	}
	if kept := c.household.RemovePending(p.ID); kept != nil {
		c.log.Warn("can't forget the revocation", "error", kept)
	}
	return a, err
}

// repeatPending sends the revocations without an answer again. Until they are answered,
// nothing else is sent to the camera.
func (c *Camera) repeatPending(ctx context.Context) error {
	if len(c.PendingRevokes()) == 0 {
		return nil
	}
	unlock, err := c.oneRevoke(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, p := range c.PendingRevokes() { // those that another call has left
		if err := c.repeat(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// oneRevoke waits until no other goroutine is sending a revocation.
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

// repeat sends a revocation again. Whatever the camera decides is one of Warnings.
func (c *Camera) repeat(ctx context.Context, p home.PendingRevoke) error {
	if err := c.needNonce(ctx); err != nil {
		return c.stillPending(p, err)
	}
	// It carries the checkpoint that it carried first, for the answer may be one to that
	// sending, which a broker held back, and a request that widens rights stays bound to
	// what the person had seen. If there was none, from is zero, and nothing is proved.
	from, _ := c.household.ParseCheckpoint(p.Checkpoint)
	_, err := c.finish(ctx, p, from)
	if err != nil && c.pending(p.ID) {
		return c.stillPending(p, err)
	}
	text := fmt.Sprintf("The camera has now confirmed the removal of %s, asked for at %s.", p.Who(), p.Asked())
	if err != nil {
		text = fmt.Sprintf("The removal of %s, asked for at %s, was refused: %s", p.Who(), p.Asked(), err)
	}
	return c.do(ctx, func(s *state) { s.settled = append(s.settled, text) })
}

func (c *Camera) stillPending(p home.PendingRevoke, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return err
	}
	return home.NewProblem(err, "The removal of %s, asked for at %s, is not answered yet, and nothing else is sent to the camera until it is. %s",
		p.Who(), p.Asked(), err)
}
