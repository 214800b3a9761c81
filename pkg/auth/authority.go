package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
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
	*PairingWindow

	cfg Config
	log *slog.Logger

	identity   *identity.Identity
	keys       *householdKeys
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
}

// report sets the health condition by members and epoch.
func (a *Authority) report() {
	switch {
	case a.older.Load():
	case a.members.count() > 0:
		a.journal.healthy(health.OK, "")
	case a.keys.reason == reasonFirst:
		a.journal.healthy(health.OK, "Nobody is paired yet. Open the pairing window with camd pair.")
	default:
		a.journal.healthy(health.Degraded, "Everyone must pair again: "+a.keys.reason+".")
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
func (a *Authority) Epoch() (uint64, string) { return a.keys.epoch, a.keys.reason }

// Statement returns the statement about the epoch that the identity has signed, for the
// retained status. docs/protocol.md 2.7.
func (a *Authority) Statement() (string, error) {
	jws, err := envelope.SignEpoch(envelope.Epoch{Device: a.identity.DeviceID(), Epoch: a.keys.epoch,
		Trio: string(a.keys.trio), Reason: a.keys.reason}, a.identity.Signer())
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

// stillOwner returns who made a request, if it is an owner still, and counts what it does
// against its allowance.
func (a *Authority) stillOwner(r Request) (*member, error) {
	m := a.members.get(r.member.id)
	switch {
	case m == nil:
		return nil, proto.Refuse(proto.CodeRevoked)
	case m.Role != proto.RoleOwner:
		return nil, proto.Refuse(proto.CodeScope)
	case !a.allowances.mayStart(m):
		return nil, proto.Refuse(proto.CodeBusy)
	}
	return m, nil
}

// EpochFolder returns the folder of the epoch's keys. Its files are overwritten and removed
// when the epoch has ended. docs/protocol.md 5.10.
func (a *Authority) EpochFolder() string { return epochFolder(a.cfg.State, a.keys.epoch) }
