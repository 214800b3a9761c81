package pairing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Setup is what a client can ask of a device and set in it, between its keys and its
// receipt. Both decide first whether this key may. A *proto.SetupProblem reaches the
// client, and the conversation goes on; any other error ends it, as one of Enroll does.
type Setup interface {
	// Ask answers a question, and changes nothing.
	Ask(ctx context.Context, key envelope.PublicKey, ask proto.SetupAsk) (proto.SetupReply, error)
	// Apply tries settings, keeps them and enrols the key, all of it or nothing. It tells
	// progress which step it is at, and gives up when ctx ends.
	Apply(ctx context.Context, key envelope.PublicKey, card []byte, s proto.SetupSettings, progress func(proto.SetupStep)) (Receipt, error)
}

// converse answers what the client asks and applies what it sets, until it is enrolled.
// docs/protocol.md 3.11.
func (d Device) converse(ctx context.Context, c *channel, key envelope.PublicKey, card []byte) (Receipt, error) {
	for {
		m, err := c.read(messageAsk, messageSettings)
		if err != nil {
			return Receipt{}, err
		}
		var r Receipt
		switch {
		case m.Type == messageAsk:
			err = d.reply(ctx, c, key, m.Ask)
			if err == nil {
				continue
			}
		case m.Settings == nil || m.Settings.Empty():
			r, err = d.Enroll(ctx, key, card)
		default:
			r, err = d.apply(ctx, c, key, card, *m.Settings)
		}
		var problem *proto.SetupProblem
		switch {
		case errors.As(err, &problem):
			if err := c.write(message{Type: messageProblem, Code: problem.Code, Sentence: foreign.Line(problem.Error())}); err != nil {
				return Receipt{}, err
			}
		case errors.Is(err, ErrAborted), errors.Is(err, ErrProtocol):
			return Receipt{}, err
		case err != nil:
			return Receipt{}, errors.Join(fmt.Errorf("enroll: %w", err), refuse(c, err))
		default:
			return d.confirm(c, key, r)
		}
	}
}

func (d Device) reply(ctx context.Context, c *channel, key envelope.PublicKey, ask *proto.SetupAsk) error {
	if ask == nil {
		return fmt.Errorf("%w: ask without a question", ErrProtocol)
	}
	if d.Setup == nil {
		return &proto.SetupProblem{Code: proto.CodeFixed}
	}
	r, err := d.Setup.Ask(ctx, key, *ask)
	if err != nil {
		return err
	}
	return c.write(message{Type: messageReply, Reply: &r})
}

// apply tells the client which step the device is at, as long as the device works.
func (d Device) apply(ctx context.Context, c *channel, key envelope.PublicKey, card []byte, s proto.SetupSettings) (Receipt, error) {
	if d.Setup == nil {
		return Receipt{}, &proto.SetupProblem{Code: proto.CodeFixed}
	}
	if err := s.Check(); err != nil {
		return Receipt{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &progress{c: c, lost: cancel}
	stop := p.repeat()
	r, err := d.Setup.Apply(ctx, key, card, s, p.tell)
	stop()
	if err != nil && p.err != nil { // the client is gone
		return Receipt{}, p.err
	}
	return r, err
}

// ProgressEvery is how often a client hears of a device that works. docs/protocol.md 3.11.
const ProgressEvery = 5 * time.Second

// progress tells a client which step its device is at.
type progress struct {
	c    *channel
	lost context.CancelFunc // the client went away

	mu   sync.Mutex
	step proto.SetupStep
	err  error // of the first message that could not be sent
}

func (p *progress) tell(step proto.SetupStep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = step
	p.send()
}

func (p *progress) send() {
	if p.err != nil || p.step == "" {
		return
	}
	if p.err = p.c.write(message{Type: messageProgress, Step: p.step}); p.err != nil {
		p.lost()
	}
}

// repeat sends the step again and again, until stop has returned.
func (p *progress) repeat() (stop func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(ProgressEvery)
		defer t.Stop()
		for {
			select {
			case <-over:
				return
			case <-t.C:
				p.mu.Lock()
				p.send()
				p.mu.Unlock()
			}
		}
	})
	return func() { close(over); wg.Wait() }
}
