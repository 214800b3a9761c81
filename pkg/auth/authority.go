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
	TPM   string // the TPM that has the identity key; empty: the kernel's device
	// Broker returns what a client that pairs gets to know: where to meet the device, and the
	// client's login there, if it is at hand. Its JSON has at most pairing.MaxBroker bytes.
	Broker func(proto.ClientID) envelope.BrokerLogin
	Name   string // of the device, until the household chooses another
	Household
	Clock trustedtime.Clock // the wall clock
	Built time.Time         // when this software was made; zero: unknown
	// Abort ends the process at once. nil: panic.
	Abort func(reason string)
	// Check checks a database file before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

// Authority owns what decides: household keys, members, access log and the pairing window.
type Authority struct {
	cfg Config
	log *slog.Logger

	identity   *identity.Identity
	household  *household
	trust      *store.DB
	logs       *store.DB
	members    *members
	policy     *policy
	sessions   *activeSessions
	queues     *queues
	allowances *allowances
	journal    *journal
	changes    *changes
	steps      steps       // of updates
	older      atomic.Bool // the storage was shown to be an older copy

	capture     CaptureDevices // set by NewGate
	provisioner Provisioner    // set by NewGate

	ending sync.Mutex // over Evict and Reset

	handshake chan struct{} // holds one value while a handshake is under way
	mu        sync.Mutex
	window    *window       // nil when closed
	turned    chan struct{} // closed when the window next opens or closes; nil: nobody waits for it
}

// Open reads the state folder, in which identity.Init made an identity. Damage that a
// completed check found begins a new epoch with nobody enrolled; anything else that goes
// wrong is an error, and nothing is changed.
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
	a, err := newAuthority(o, board.Condition("auth"))
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return a, nil
}

// newAuthority makes an Authority of what was opened. The log gets entry 0 of a new epoch,
// which says why it began, and a change that a power cut interrupted is dealt with.
func newAuthority(o *opener, condition *health.Condition) (*Authority, error) {
	cfg, log := o.cfg, o.log
	if cfg.Abort == nil {
		cfg.Abort = func(reason string) { panic(reason) }
	}
	chosen, err := readChoices(o.trust)
	if err != nil {
		return nil, err
	}
	times, err := trustedtime.Load(o.trust, cfg.Clock, cfg.Built, log)
	if err != nil {
		return nil, err
	}
	noticed, told, err := o.journal.Noticed()
	if err != nil {
		return nil, err
	}
	p := &policy{members: o.members, time: times, defaults: cfg.Household, name: cfg.Name}
	p.chosen.Store(&chosen)
	p.privacy.Store(chosen.Privacy)
	sessions := &activeSessions{members: o.members, policy: p, abort: cfg.Abort, of: map[proto.ClientID][]*session{}}
	j := &journal{log: o.journal, slog: log, condition: condition, state: health.Starting, sessions: sessions, notices: newNotices(o.members, p, noticed, told)}
	j.noticed.Store(noticed)
	q := newQueues(o.members)
	a := &Authority{cfg: cfg, log: log, identity: o.identity, household: o.household, trust: o.trust, logs: o.logs,
		members: o.members, policy: p, sessions: sessions, queues: q, allowances: &allowances{limits: map[string]limits{}}, journal: j,
		changes: &changes{members: o.members, policy: p, journal: j, queues: q, log: log, interrupted: o.interrupted},
		capture: noCapture{}, provisioner: fixed{}, handshake: make(chan struct{}, 1)}
	n, err := j.log.Head()
	if err == nil && n == 0 {
		_, err = j.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: o.household.reason})
	}
	if err == nil {
		err = a.changes.finish()
	}
	a.report()
	return a, err
}

// report sets the health condition by members and epoch.
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

// Close closes the pairing window and the stores. The Authority can't be used afterwards.
func (a *Authority) Close() error {
	a.CloseWindow()
	return errors.Join(a.trust.Close(), a.logs.Close())
}

// Identity returns the device's identity.
func (a *Authority) Identity() *identity.Identity { return a.identity }

// Epoch returns the household epoch and why it began.
func (a *Authority) Epoch() (uint64, string) { return a.household.epoch, a.household.reason }

// Trio returns the signed household keys of the epoch. docs/protocol.md 2.4.
func (a *Authority) Trio() []byte { return a.household.trio }

// Statement returns the statement about the epoch that the identity has signed, for the
// retained status. docs/protocol.md 2.7.
func (a *Authority) Statement() (string, error) {
	jws, err := envelope.SignEpoch(envelope.Epoch{Device: a.identity.DeviceID(), Epoch: a.household.epoch,
		Trio: string(a.household.trio), Reason: a.household.reason}, a.identity.Signer())
	return string(jws), err
}

// Owned reports whether anyone is enrolled.
func (a *Authority) Owned() bool { return a.members.count() > 0 }

// MemberName returns what the household calls a member; empty if it has no such member.
func (a *Authority) MemberName(c proto.ClientID) string {
	if m := a.members.get(c); m != nil {
		return m.Name
	}
	return ""
}
