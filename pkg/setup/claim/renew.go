package claim

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/health"
)

const (
	lookEvery = time.Hour      // how often to check the certificate's age, and to try again after an error
	ownPause  = 24 * time.Hour // between two renewals by the camera itself: all members are notified of each
)

// String names the component.
func (c *Claim) String() string { return "claim" }

// Run renews the certificate when two thirds of its validity are over, if there is an enrolment
// server, and reports to health, until ctx ends.
func (c *Claim) Run(ctx context.Context, ready func()) error {
	ready()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			look.Reset(c.look(ctx))
		}
	}
}

// look checks the certificate and returns when to check again, with jitter for fleets.
func (c *Claim) look(ctx context.Context) time.Duration {
	again := backoff.Jitter(lookEvery, lookEvery/2)
	now, synchronised := c.deps.Clock()
	if s := c.Status(); c.est != nil && synchronised && s.Old(now) { // two thirds of its validity are over
		err := c.renew(ctx)
		var later *RetryError
		switch {
		case err == nil:
			again = ownPause
		case ctx.Err() != nil, errors.Is(err, ErrBusy): // an owner is setting one, which is no error
			return again
		case errors.As(err, &later):
			again = later.After
		}
		c.note(err)
	}
	c.assess()
	return again
}

// renew gets the next certificate from the enrolment server.
func (c *Claim) renew(ctx context.Context) error {
	if !c.taking.TryLock() {
		return ErrBusy
	}
	defer c.taking.Unlock()
	if err := c.deps.Keeper.Writable(); err != nil {
		return err
	}
	key, leaf, err := c.nextKey()
	if err != nil {
		return err
	}
	request, err := requestFor(c.device, key, leaf.RawSubject)
	if err != nil {
		return err
	}
	chain, err := c.est.Reenroll(ctx, request, c.Certificate())
	if err != nil {
		return err
	}
	return c.take(ctx, key, chain, c.deps.Own)
}

// note keeps what a person should know about a failed renewal.
func (c *Claim) note(err error) {
	text := ""
	if err != nil {
		c.log.Warn("the certificate for the broker was not renewed", "error", err)
		text = "The camera could not renew it by itself; its log says why."
		var known *Problem
		if errors.As(err, &known) {
			text = known.Sentence
		}
	}
	c.mu.Lock()
	c.problem = text
	c.mu.Unlock()
}

// assess sets the health condition. The certificate's age alone is only in the status.
func (c *Claim) assess() {
	now, synchronised := c.deps.Clock()
	s := c.Status()
	switch {
	case synchronised && now.Unix() >= s.Until:
		c.condition.Set(health.Failed, "The camera's certificate for its broker ended on "+moment(time.Unix(s.Until, 0))+". "+
			cmp.Or(s.Problem, "Pair with the camera again, at the camera, with camctl pair --ca; where its configuration names the certificate, put a new one there."))
	case s.Problem != "":
		c.condition.Set(health.Degraded, "The camera's certificate for its broker, good until "+moment(time.Unix(s.Until, 0))+", was not renewed: "+s.Problem)
	default:
		c.condition.Set(health.OK, "")
	}
}
