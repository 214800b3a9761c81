package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Config is what an Authority is opened with.
type Config struct {
	State  string         // the state folder
	Broker pairing.Broker // told to who pairs
	// Check judges a database file before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

// Authority owns what decides: identity, epoch, members, access log and the
// pairing window.
type Authority struct {
	cfg Config
	log *slog.Logger

	identity  Identity
	household *household
	trust     *store.DB
	logs      *store.DB
	members   *members
	journal   *journal

	mu      sync.Mutex
	window  *window // nil when closed
	joining bool    // a handshake is under way
}

// Open reads the state folder, in which InitFactory made an identity. Damage
// found by a completed check begins a new epoch with nobody enrolled; anything
// else that goes wrong is an error, and nothing is changed.
func Open(ctx context.Context, cfg Config, log *slog.Logger, board *health.Board) (*Authority, error) {
	log = log.With("component", "auth")
	id, err := LoadIdentity(cfg.State)
	if err != nil {
		return nil, err
	}
	o := &opener{cfg: cfg, log: log, identity: id}
	if err := o.open(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	entries, err := accesslog.Open(o.logs, o.household.epoch, accesslog.Origin(id.DeviceID(), o.household.epoch), o.household.log)
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	a := &Authority{
		cfg: cfg, log: log, identity: id, household: o.household, trust: o.trust, logs: o.logs, members: o.members,
		journal: &journal{log: entries, slog: log, condition: board.Condition("auth"), state: health.Starting},
	}
	if err := a.begin(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// begin sees to it that entry 0 of every epoch says why the epoch began, and
// reports.
func (a *Authority) begin() error {
	n, err := a.journal.log.Head()
	if err == nil && n == 0 {
		_, err = a.journal.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: a.household.reason})
	}
	if err == nil {
		err = a.closeUnapplied(n)
	}
	a.report()
	return err
}

// unappliedTail is how many of the last entries closeUnapplied looks at: a
// pairing that was cut is the last one, but for what was being logged meanwhile.
const unappliedTail = 64

// closeUnapplied says of each enrolment that was logged and not stored, because
// of a power cut between the two, that it never counted.
func (a *Authority) closeUnapplied(head uint64) error {
	tail, err := a.journal.log.Read(head-min(head, unappliedTail), unappliedTail)
	if err != nil {
		return err
	}
	unapplied := map[uint64]accesslog.Entry{}
	for _, r := range tail {
		e, err := accesslog.Parse(r.Text)
		switch {
		case err != nil: // its text was dropped
		case e.Kind == accesslog.KindPair && !a.members.enrolledBy(e.Client, r.Index):
			unapplied[r.Index] = e
		case e.Kind == accesslog.KindEnd:
			delete(unapplied, e.Start)
		}
	}
	for index, e := range unapplied {
		err = errors.Join(err, a.notApplied(index, e.Client, e.Name))
	}
	return err
}

func (a *Authority) notApplied(entry uint64, c proto.ClientID, name string) error {
	_, err := a.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Client: c, Name: name,
		Network: accesslog.NetLocal, Start: entry, Reason: reasonNotApplied})
	return err
}

const reasonNotApplied = "not applied"

// report sets the health condition by what is known of members and epoch.
func (a *Authority) report() {
	switch {
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
func (a *Authority) Identity() Identity { return a.identity }

// Epoch is the household epoch and why it began.
func (a *Authority) Epoch() (uint64, string) { return a.household.epoch, a.household.reason }

// Trio is the signed trio of the epoch. docs/protocol.md 2.4.
func (a *Authority) Trio() []byte { return a.household.trio }

// Owned tells whether anyone is enrolled.
func (a *Authority) Owned() bool { return a.members.count() > 0 }

// journal is the access log with its health.
type journal struct {
	log  *accesslog.Log
	slog *slog.Logger

	condition *health.Condition
	mu        sync.Mutex
	state     health.State // what to go back to after a failure
	reason    string
}

// Append adds an entry, durably. On an error nothing that needed it may start.
func (j *journal) Append(e accesslog.Entry) (uint64, error) {
	index, err := j.log.Append(e)
	if err != nil {
		j.slog.Error("access log can't be written", "kind", string(e.Kind), "error", err)
		j.condition.Set(health.Failed, "The access log can't be written, so nothing is shown. The storage may be full or failing.")
		return 0, err
	}
	j.mu.Lock()
	state, reason := j.state, j.reason
	j.mu.Unlock()
	j.condition.Set(state, reason)
	return index, nil
}

func (j *journal) healthy(s health.State, reason string) {
	j.mu.Lock()
	j.state, j.reason = s, reason
	j.mu.Unlock()
	j.condition.Set(s, reason)
}

// MemberName is what the household calls a member; empty for one it doesn't know.
func (a *Authority) MemberName(c proto.ClientID) string {
	if m := a.members.get(c); m != nil {
		return m.Name
	}
	return ""
}
