package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

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
	p := &policy{members: o.members, time: times, defaults: cfg.Household, name: cfg.Name}
	p.chosen.Store(&chosen)
	p.privacy.Store(chosen.Privacy)
	sessions := &activeSessions{members: o.members, policy: p, abort: cfg.Abort, of: map[proto.ClientID][]*session{}}
	n := &notices{members: o.members, policy: p, keys: o.keys, log: o.journal, slog: log}
	if err := n.load(); err != nil {
		return nil, err
	}
	j := &journal{log: o.journal, slog: log, condition: condition, state: health.Starting, sessions: sessions, notices: n}
	q := &queues{members: o.members, byMember: map[proto.ClientID]*memberQueue{}}
	a := &Authority{PairingWindow: &PairingWindow{log: log, handshake: make(chan struct{}, 1)}, cfg: cfg, log: log, identity: o.identity, keys: o.keys, trust: o.trust, logs: o.logs,
		members: o.members, policy: p, sessions: sessions, queues: q, allowances: &allowances{limits: map[string]limits{}}, journal: j,
		changes: &changes{members: o.members, policy: p, journal: j, queues: q, log: log, interrupted: o.interrupted},
		capture: noCapture{}, provisioner: fixed{}}
	size, err := j.log.Head()
	if err == nil && size == 0 {
		_, err = j.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: o.keys.reason})
	}
	if err == nil {
		err = a.changes.finish()
	}
	a.report()
	return a, err
}

// opener opens what is in the state folder, or begins an epoch. It holds what it has opened
// so far.
type opener struct {
	cfg      Config
	log      *slog.Logger
	identity *identity.Identity
	sealer   *store.Sealer

	keys        *householdKeys
	trust       *store.DB
	logs        *store.DB
	members     *members
	journal     *accesslog.Log
	interrupted *uint64  // a change that was logged and not made
	highest     uint64   // the highest epoch that was seen anywhere
	pending     *pending // an eviction or reset that was decided
}

func (o *opener) open(ctx context.Context) error {
	var err error
	if err := shredPending(o.cfg.State); err != nil {
		return err
	}
	if o.pending, err = readPending(o.cfg.State); err != nil {
		return err
	}
	if o.pending != nil && o.pending.damaged {
		o.log.Warn("the decision to evict or reset can't be read: everyone is removed", "file", filePending)
	}
	if p := o.pending; p != nil {
		o.highest = p.Epoch // epochs go on counting, so that old members understand
		if p.Reset {
			err = wipe(o.cfg.State)
		}
	}
	if err != nil {
		return err
	}
	for _, name := range []string{storeFolder, householdFolder} {
		if err := makeFolder(filepath.Join(o.cfg.State, name)); err != nil {
			return err
		}
	}
	if o.sealer, err = store.LoadSealer(o.path(fileSeal)); err != nil {
		return err
	}
	err = o.existing(ctx)
	reason := whyNewEpoch(err)
	if o.pending != nil && (err == nil || reason != "") {
		return o.endEpoch(err == nil)
	}
	if reason != "" {
		return o.newEpoch(reason)
	}
	return err
}

// endEpoch does what someone at the device decided, unless it was done already.
func (o *opener) endEpoch(sound bool) error {
	var err error
	switch p := o.pending; {
	case p.damaged:
		err = o.evict(reasonDamaged)
	case sound && o.keys.epoch > p.Epoch:
	case p.Reset:
		err = o.newEpoch(reasonReset)
	default:
		err = o.evict(reasonEvicted)
	}
	if err != nil {
		return err
	}
	return removePending(o.cfg.State)
}

// evict begins the epoch after an eviction. Nothing of the members stays: trust.db is not
// set aside, but shredded.
func (o *opener) evict(reason string) error {
	if o.trust != nil {
		var err error
		if err, o.trust = o.trust.Close(), nil; err != nil {
			return err
		}
	}
	for _, path := range []string{o.path(fileTrust), o.path(fileTrust) + ".bad"} {
		if err := store.Shred(path); err != nil {
			return err
		}
	}
	return o.newEpoch(reason)
}

// whyNewEpoch returns the reason for which err begins a new epoch; empty if it does not.
func whyNewEpoch(err error) string {
	switch {
	case errors.Is(err, errFirstStart):
		return reasonFirst
	case errors.Is(err, store.ErrMissing):
		return "the camera's store was missing"
	case errors.Is(err, errRollback):
		return "the camera's store was rolled back to an earlier state"
	case errors.Is(err, errEpoch):
		return "the camera's store belonged to another epoch"
	case errors.Is(err, store.ErrDamaged):
		return reasonDamaged
	}
	return ""
}

var (
	errFirstStart = errors.New("no epoch and no store yet")
	errEpoch      = errors.New("store and household keys are of different epochs")
)

// existing opens all there is. It looks at both files even if the first one is damaged, so
// that a new epoch is above every epoch that was ever used.
func (o *opener) existing(ctx context.Context) error {
	epoch, err := newestEpoch(o.cfg.State)
	if err != nil {
		return err
	}
	var logEpoch, trustEpoch uint64
	var logErr, trustErr error
	o.logs, logEpoch, logErr = o.openFile(ctx, fileLogs, maxLogs)
	o.trust, trustEpoch, trustErr = o.openFile(ctx, fileTrust, maxTrust)
	o.highest = max(o.highest, epoch, logEpoch, trustEpoch)
	// A file that can't be judged counts before one that is damaged: then nothing is wiped.
	for _, err := range []error{logErr, trustErr} {
		if err != nil && whyNewEpoch(err) == "" {
			return err
		}
	}
	if epoch == 0 && errors.Is(logErr, store.ErrMissing) && errors.Is(trustErr, store.ErrMissing) {
		return errFirstStart
	}
	if err := errors.Join(logErr, trustErr); err != nil {
		return err
	}
	// The log may be behind: a new epoch sets its mark last.
	if trustEpoch != epoch || logEpoch > epoch {
		return fmt.Errorf("%w: keys %d, %s %d, %s %d", errEpoch, epoch, fileTrust, trustEpoch, fileLogs, logEpoch)
	}
	if o.keys, err = loadHouseholdKeys(o.cfg.State, o.identity, epoch); err != nil {
		return err
	}
	if err := o.together(); err != nil {
		return err
	}
	return removeOlder(o.cfg.State, epoch) // which a power cut kept newEpoch from
}

// together reads what the two files hold, and compares them.
func (o *opener) together() (err error) {
	if err = o.openLog(); errors.Is(err, store.ErrDamaged) { // it must not be continued
		err, o.logs = errors.Join(err, o.logs.Close()), nil
	}
	if err != nil {
		return err
	}
	if o.members, err = loadMembers(o.trust); err != nil {
		return err
	}
	// What else trust.db holds is read too, so that damage is found now.
	if _, err := readChoices(o.trust); err != nil {
		return err
	}
	if _, err := trustedtime.Load(o.trust, o.cfg.Clock, o.cfg.Built, o.log); err != nil {
		return err
	}
	if err := o.trust.View(func(tx *store.Tx) error { return eachDone(tx, func(string, done) {}) }); err != nil {
		return err
	}
	o.interrupted, err = compare(o.trust, o.journal)
	return err
}

func (o *opener) openLog() (err error) {
	o.journal, err = accesslog.Open(o.logs, o.keys.epoch, accesslog.Origin(o.identity.DeviceID(), o.keys.epoch), o.keys.log)
	return err
}

func (o *opener) path(name string) string { return filepath.Join(o.cfg.State, storeFolder, name) }

func (o *opener) file(name string, maxBytes int) store.Config {
	c := store.Config{Path: o.path(name), Sealer: o.sealer, MaxBytes: maxBytes, Check: o.cfg.Check}
	if name == fileTrust { // the log's have names of their epochs
		c.Buckets = []store.Bucket{clients, revoked, grants, chosen, finalNotices}
	}
	return c
}

func (o *opener) openFile(ctx context.Context, name string, maxBytes int) (*store.DB, uint64, error) {
	db, err := store.Open(ctx, o.file(name, maxBytes))
	if err != nil {
		return nil, 0, err
	}
	epoch, err := readEpoch(db)
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return db, epoch, nil
}

func readEpoch(db *store.DB) (epoch uint64, err error) {
	err = db.View(func(tx *store.Tx) error {
		v, err := meta.Get(tx, keyEpoch)
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("%w: it names no epoch", store.ErrDamaged)
		}
		if err == nil {
			epoch, err = store.Parse64(string(v))
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read epoch of %s: %w", db.Path(), err)
	}
	return epoch, nil
}

func writeEpoch(epoch uint64) func(*store.Tx) error {
	return func(tx *store.Tx) error { return meta.Put(tx, keyEpoch, []byte(store.Key64(epoch))) }
}

// newEpoch begins an epoch with new keys and nobody enrolled. The keys come first: a power cut
// at any later step leaves a store of another epoch than theirs, and the next start begins a
// new one. The log stays unless it is damaged.
func (o *opener) newEpoch(reason string) error {
	var err error
	epoch := o.highest + 1
	if reason != reasonFirst {
		o.log.Warn("beginning a new epoch", "epoch", epoch, "reason", reason)
	}
	if o.keys, err = makeHouseholdKeys(o.cfg.State, o.identity, epoch, reason); err != nil {
		return err
	}
	if o.logs == nil {
		if o.logs, err = o.replace(fileLogs, maxLogs); err != nil {
			return err
		}
	}
	if o.trust != nil {
		err, o.trust = o.trust.Close(), nil
		if err != nil {
			return err
		}
	}
	if o.trust, err = o.replace(fileTrust, maxTrust); err != nil {
		return err
	}
	if o.members, err = loadMembers(o.trust); err != nil {
		return err
	}
	if err := accesslog.DropTrees(o.logs, epoch); err != nil { // first: it may be full
		return err
	}
	if err := o.logs.Update(writeEpoch(epoch)); err != nil {
		return fmt.Errorf("mark %s: %w", o.logs.Path(), err)
	}
	o.interrupted = nil
	if err := o.openLog(); err != nil {
		return err
	}
	return removeOlder(o.cfg.State, epoch)
}

// replace sets a file aside, if there is one, and makes an empty one.
func (o *opener) replace(name string, maxBytes int) (*store.DB, error) {
	path := o.path(name)
	if _, err := os.Lstat(path); err == nil { // what is there, be it a link to nothing
		bad, err := store.SetAside(path)
		if err != nil {
			return nil, err
		}
		o.log.Warn("set a store aside", "file", bad)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace store: %w", err)
	}
	return store.Create(o.file(name, maxBytes), func(tx *store.Tx) error {
		if name == fileTrust && o.pending != nil {
			if err := o.pending.put(tx); err != nil {
				return err
			}
		}
		return writeEpoch(o.keys.epoch)(tx)
	})
}

func (o *opener) close() error {
	var err error
	for _, db := range []*store.DB{o.trust, o.logs} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// makeFolder makes a folder. Anything else in its place is set aside.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		if _, err := store.SetAside(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return store.SyncDir(filepath.Dir(path))
}
