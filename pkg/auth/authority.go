package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/trustedtime"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Config is what an Authority is opened with.
type Config struct {
	State string // the state folder
	TPM   string // of an identity whose key lies in one; empty: the kernel's device
	// Broker is told to who pairs: where to meet the device, and that client's login
	// there, if it is at hand. Its JSON has at most pairing.MaxBroker bytes.
	Broker func(proto.ClientID) envelope.BrokerLogin
	Name   string // of the device, until the household chooses another
	Household
	Clock trustedtime.Clock // the wall clock
	Built time.Time         // when this software was made; zero: unknown
	// Abort ends the process at once, without a word to anyone: nothing that was not
	// durable has happened. nil: panic.
	Abort func(reason string)
	// Check judges a database file before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

// Authority owns what decides: identity, epoch, members, access log and the
// pairing window.
type Authority struct {
	cfg Config
	log *slog.Logger

	identity  *identity.Identity
	household *household
	trust     *store.DB
	logs      *store.DB
	members   *members
	policy    *policy
	journal   *journal
	senses    Senses      // set by Govern
	gate      *Gate       // set by NewGate
	older     atomic.Bool // the storage was shown to be an older copy
	steps     steps       // of updates
	setup     Provisioner // set by Provision

	changes sync.Mutex // over each change of members, settings and privacy, from decision to effect
	ending  sync.Mutex // over Evict and Reset
	over    bool       // the epoch ends: nothing changes any more; under changes
	cut     *uint64    // entry of a change that was logged and not made; under changes

	joining chan struct{} // holds one value while a handshake is under way
	mu      sync.Mutex
	window  *window       // nil when closed
	turned  chan struct{} // closed when the window next opens or closes; nil: nobody waits for it
}

// Open reads the state folder, in which InitFactory made an identity. Damage
// found by a completed check begins a new epoch with nobody enrolled; anything
// else that goes wrong is an error, and nothing is changed.
func Open(ctx context.Context, cfg Config, log *slog.Logger, board *health.Board) (*Authority, error) {
	log = log.With("component", "auth")
	id, err := identity.Load(cfg.State, cfg.TPM)
	if err != nil {
		return nil, err
	}
	o := &opener{cfg: cfg, log: log, identity: id}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	if cfg.Abort == nil {
		cfg.Abort = func(reason string) { panic(reason) }
	}
	a := &Authority{cfg: cfg, log: log, identity: id, joining: make(chan struct{}, 1), household: o.household,
		trust: o.trust, logs: o.logs, members: o.members, senses: noSenses{}, setup: fixed{}, cut: o.cut}
	a.journal = &journal{log: o.journal, slog: log, condition: board.Condition("auth"), state: health.Starting}
	if err := a.begin(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.NewGate(nobody{})
	return a, nil
}

// begin sees to it that entry 0 of every epoch says why the epoch began, deals with a
// change that a power cut interrupted, and reports.
func (a *Authority) begin() error {
	c, err := readChoices(a.trust)
	if err != nil {
		return err
	}
	times, err := trustedtime.Load(a.trust, a.cfg.Clock, a.cfg.Built, a.log)
	if err != nil {
		return err
	}
	a.policy = &policy{members: a.members, time: times, defaults: a.cfg.Household, name: a.cfg.Name}
	a.policy.chosen.Store(&c)
	a.policy.privacy.Store(c.Privacy)
	told, err := a.journal.recall()
	if err != nil {
		return err
	}
	a.journal.teller = newTeller(a.members, a.policy, a.journal.noticed.Load(), told)
	n, err := a.journal.log.Head()
	if err == nil && n == 0 {
		_, err = a.journal.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: a.household.reason})
	}
	if err == nil {
		err = a.finish()
	}
	a.report()
	return err
}

// report sets the health condition by what is known of members and epoch.
func (a *Authority) report() {
	switch {
	case a.older.Load():
	case a.members.count() > 0:
		a.journal.healthy(health.OK, "")
	case a.household.reason == reasonFirst:
		a.journal.healthy(health.OK, "Nobody is paired yet. Open the pairing window with camd pair.")
	default:
		a.journal.healthy(health.Degraded, "Everyone must pair again: "+a.household.reason+".")
	}
}

// Close closes the pairing window and the stores. Nothing of the Authority may be
// used afterwards.
func (a *Authority) Close() error {
	a.CloseWindow()
	return errors.Join(a.trust.Close(), a.logs.Close())
}

// Identity is the device's.
func (a *Authority) Identity() *identity.Identity { return a.identity }

// Epoch is the household epoch and why it began.
func (a *Authority) Epoch() (uint64, string) { return a.household.epoch, a.household.reason }

// Trio is the signed trio of the epoch. docs/protocol.md 2.4.
func (a *Authority) Trio() []byte { return a.household.trio }

// Statement is what the identity says of the epoch, for the retained status.
// docs/protocol.md 2.7.
func (a *Authority) Statement() (string, error) {
	jws, err := envelope.SignEpoch(envelope.Epoch{Device: a.identity.DeviceID(), Epoch: a.household.epoch,
		Trio: string(a.household.trio), Reason: a.household.reason}, a.identity.Signer())
	return string(jws), err
}

// Owned tells whether anyone is enrolled.
func (a *Authority) Owned() bool { return a.members.count() > 0 }

// MemberName is what the household calls a member; empty for one it doesn't know.
func (a *Authority) MemberName(c proto.ClientID) string {
	if m := a.members.get(c); m != nil {
		return m.Name
	}
	return ""
}
