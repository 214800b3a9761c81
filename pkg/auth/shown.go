package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Shown is what a code says that the camera has read, and that was made under the label's
// secret: whoever hands it over has seen to that. docs/protocol.md 3.12.
type Shown struct {
	Code     string // its name
	Card     []byte // key card of who showed it
	Settings proto.SetupSettings
}

// Show takes the client whose code was shown, as Join does one that is there itself: what
// the code sets is tried, and kept together with the enrolment. From then on the client is
// sent its receipt through the broker, until it is heard. Errors: ErrWindowClosed,
// ErrPairingBusy, a *proto.SetupProblem, by which nothing has changed and the code may be
// shown again, or a *proto.Refusal, which is a failure of the window, once for each code.
func (a *Authority) Show(ctx context.Context, s Shown, progress func(proto.SetupStep)) error {
	w, err := a.enter(ctx)
	if err != nil {
		return err
	}
	defer func() { <-a.handshake }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()
	key, err := envelope.VerifyKeyCard(s.Card)
	if err != nil {
		a.wrong(w, s.Code)
		return fmt.Errorf("take a code: %w", err)
	}
	if m := a.members.get(key.ClientID()); m != nil && slices.Contains(m.Used, s.Code) {
		s.Settings = proto.SetupSettings{} // other things may be set by now, and a film of the code does not undo them
	}
	c := &conversation{Authority: a, window: w, code: s.Code}
	if s.Settings.Empty() {
		_, err = a.enroll(w, key, s.Card, s.Code)
	} else if err = s.Settings.Check(); err == nil {
		_, err = c.Apply(ctx, key, s.Card, s.Settings, progress)
	}
	if c.settled {
		a.use(key.ClientID(), s.Code)
		a.provisioner.Settled()
	}
	var refusal *proto.Refusal
	switch {
	case errors.As(err, &refusal):
		a.wrong(w, s.Code)
		return fmt.Errorf("take a code: %w", err)
	case err != nil:
		return fmt.Errorf("take a code: %w", err)
	}
	w.rest()
	a.log.Info("paired by a code", "client", string(key.ClientID()))
	return nil
}

// ShowWrong counts a code that was read and not made under the label's secret: a failure
// of the window, once for each code, since a camera sees the same one again and again.
func (a *Authority) ShowWrong(code string) {
	if w, err := a.opened(); err == nil {
		a.wrong(w, code)
	}
}

func (a *Authority) wrong(w *window, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.ctx.Err() != nil || w.wrong[code] {
		return
	}
	if w.wrong == nil {
		w.wrong = map[string]bool{}
	}
	w.wrong[code] = true // at most maxFailures of them
	a.fail(w)
}

// AwaitSeeking waits until a code is to be looked for, and returns a context that ends when
// none is any more, or ctx does: while the pairing window is open, but not while somebody
// who knows the label's secret pairs in another way, nor once a client was let in. The
// error is the end of ctx.
func (a *Authority) AwaitSeeking(ctx context.Context) (context.Context, error) {
	for ctx.Err() == nil {
		changed := a.WindowChanged()
		if seeking := a.seeking(); seeking != nil {
			ctx, cancel := context.WithCancel(ctx)
			context.AfterFunc(seeking, cancel)
			return ctx, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}

// seeking is the context in which codes are looked for; nil while none is.
func (a *Authority) seeking() context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.window == nil || a.window.seeking.Err() != nil {
		return nil
	}
	return a.window.seeking
}

// showed notes that a member has shown a code and waits for an answer, or that it was
// heard: "". It is called between changes.begin and its end.
func (a *Authority) showed(m *member, code string) error {
	if m.Code == code {
		return nil
	}
	if a.changes.over {
		return proto.Refuse(proto.CodeRevoked)
	}
	next := *m
	next.Code = code
	if err := a.members.update(func(all *snapshot) { all.put(&next) }, nil); err != nil {
		return errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return nil
}

// maxUsed is how many codes of one member are remembered.
const maxUsed = 16

// use notes that what a member's code sets is kept, so that it sets nothing again.
func (a *Authority) use(id proto.ClientID, code string) {
	defer a.changes.begin()()
	m := a.members.get(id)
	if m == nil || a.changes.over {
		return
	}
	next := *m
	next.Used = append(slices.Clone(m.Used[max(0, len(m.Used)-maxUsed+1):]), code)
	if err := a.members.update(func(all *snapshot) { all.put(&next) }, nil); err != nil {
		a.log.Error("that a code was used can't be stored: who films it can show it again", "error", err)
	}
}

// confirmEvery is how often a client that has shown a code is told that it was taken, until
// it is heard. docs/protocol.md 3.13.
const confirmEvery = 10 * time.Second

// codes is what the gate knows of the clients that have shown a code.
type codes struct {
	mu    sync.Mutex
	heard map[proto.ClientID]bool
	next  map[proto.ClientID]time.Time // when it is told again
}

// hear notes that a client was heard. Nothing is written here: the gate takes what comes
// without I/O.
func (c *codes) hear(id proto.ClientID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		c.heard = map[proto.ClientID]bool{}
	}
	c.heard[id] = true
}

// due reports whether a client was heard, and whether it is to be told now.
func (c *codes) due(id proto.ClientID, now time.Time) (heard, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[id], !now.Before(c.next[id])
}

func (c *codes) told(id proto.ClientID, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = map[proto.ClientID]time.Time{}
	}
	c.next[id] = next
	delete(c.heard, id)
}

// confirm tells those who have shown a code that it was taken, and forgets that of those
// who were heard. What can't be sent is tried again at the next look.
func (g *Gate) confirm() {
	now := time.Now()
	for _, m := range g.members.current.Load().members {
		if m.Code == "" {
			continue
		}
		switch heard, due := g.codes.due(m.id, now); {
		case heard:
			if g.authority.unshow(m.id) {
				g.codes.told(m.id, time.Time{})
			}
		case due:
			if err := g.sendCode(m); err != nil {
				g.log.Debug("receipt not sent", "client", string(m.id), "error", err)
				continue
			}
			g.codes.told(m.id, now.Add(confirmEvery))
		}
	}
}

func (g *Gate) sendCode(m *member) error {
	r := g.authority.receipt(m)
	// How to reach the broker it has said itself, and it has its login there.
	r.Broker = envelope.BrokerLogin{URL: r.Broker.URL, ServerName: r.Broker.ServerName}
	msg, err := g.authority.device().Confirm(m.Code, m.key, r)
	if err != nil {
		return err
	}
	return g.sender.Send(m.id, msg)
}

// unshow forgets the code of a member that was heard, and reports whether it did: while a
// change is under way it doesn't.
func (a *Authority) unshow(id proto.ClientID) bool {
	if !a.changes.mu.TryLock() {
		return false
	}
	defer a.changes.mu.Unlock()
	m := a.members.get(id)
	if m == nil {
		return true
	}
	err := a.showed(m, "")
	if err != nil {
		a.log.Warn("that a member was heard can't be stored", "error", err)
	}
	return err == nil
}
