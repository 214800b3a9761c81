package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Shown is the content of a code that the camera has read. The caller has checked that it was
// made with the label's secret. docs/protocol.md 3.12.
type Shown struct {
	Code     string // its name
	Card     []byte // key card of the client that showed it
	Settings proto.SetupSettings
}

// PairByCode pairs the client whose code was shown, as Join does with a client that is there itself:
// the settings in the code are tried, and kept together with the enrolment. From then on the
// client is sent its receipt through the broker, until it is heard. The error is
// ErrWindowClosed, ErrPairingBusy, a *proto.SetupProblem (nothing has changed, and the code may
// be shown again), or a *proto.Refusal, which counts as a failure of the window, once for each
// code.
func (a *Authority) PairByCode(ctx context.Context, s Shown, progress func(proto.SetupStep)) error {
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
		a.countWrong(w, s.Code)
		return fmt.Errorf("take a code: %w", err)
	}
	if m := a.members.get(key.ClientID()); m != nil && slices.Contains(m.UsedCodes, s.Code) {
		s.Settings = proto.SetupSettings{} // a film of the code must not undo what was set since
	}
	c := &conversation{Authority: a, window: w, shownCode: s.Code}
	if s.Settings.Empty() {
		_, err = a.enroll(w, key, s.Card, s.Code)
	} else if err = s.Settings.Check(); err == nil {
		_, err = c.Apply(ctx, key, s.Card, s.Settings, progress)
	}
	if c.settled {
		a.markCodeUsed(key.ClientID(), s.Code)
		a.provisioner.Settled()
	}
	var refusal *proto.Refusal
	switch {
	case errors.As(err, &refusal):
		a.countWrong(w, s.Code)
		return fmt.Errorf("take a code: %w", err)
	case err != nil:
		return fmt.Errorf("take a code: %w", err)
	}
	w.pause()
	a.log.Info("paired by a code", "client", string(key.ClientID()))
	return nil
}

// maxUsedCodes bounds the codes that are remembered of one member.
const maxUsedCodes = 16

// markCodeUsed stores that the settings in a member's code were kept, so that it sets nothing again.
func (a *Authority) markCodeUsed(id proto.ClientID, code string) {
	defer a.changes.begin()()
	m := a.members.get(id)
	if m == nil || a.changes.over {
		return
	}
	next := *m
	next.UsedCodes = append(slices.Clone(m.UsedCodes[max(0, len(m.UsedCodes)-maxUsedCodes+1):]), code)
	if err := a.members.update(func(all *snapshot) { all.put(&next) }, nil); err != nil {
		a.log.Error("that a code was used can't be stored: a film of it could be shown again", "error", err)
	}
}

// receiptEvery is how often a client that has shown a code is sent its receipt, until it is
// heard. docs/protocol.md 3.13.
const receiptEvery = 10 * time.Second

// sendReceipts sends a receipt to the members that have shown a code, and removes the code of those
// that were heard. What can't be sent is tried again the next time.
func (g *Gate) sendReceipts() {
	now := time.Now()
	for _, m := range g.members.current.Load().members {
		if m.ShownCode == "" {
			continue
		}
		_, heard := g.heard.Load(m.id)
		switch {
		case heard:
			if g.authority.clearShownCode(m.id) {
				delete(g.nextReceipt, m.id)
				g.heard.Delete(m.id)
			}
		case !now.Before(g.nextReceipt[m.id]):
			r := g.authority.receipt(m)
			// The client has sent the rest itself, and it has its login there.
			r.Broker = envelope.BrokerLogin{URL: r.Broker.URL, ServerName: r.Broker.ServerName}
			msg, err := g.authority.device().Confirm(m.ShownCode, m.key, r)
			if err == nil {
				err = g.sender.Send(m.id, msg)
			}
			if err != nil {
				g.log.Debug("receipt not sent", "client", string(m.id), "error", err)
				continue
			}
			g.nextReceipt[m.id] = now.Add(receiptEvery)
			g.heard.Delete(m.id)
		}
	}
}

// clearShownCode removes the code of a member that was heard, and reports whether it did: while a
// change is under way it does not.
func (a *Authority) clearShownCode(id proto.ClientID) bool {
	if !a.changes.mu.TryLock() {
		return false
	}
	defer a.changes.mu.Unlock()
	m := a.members.get(id)
	if m == nil {
		return true
	}
	err := a.setShownCode(m, "")
	if err != nil {
		a.log.Warn("that a member was heard can't be stored", "error", err)
	}
	return err == nil
}
