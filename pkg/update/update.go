package update

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/download"
	"github.com/camd-project/camd/pkg/update/release"
)

// Updater keeps the camera's system up to date. It is safe for concurrent use.
type Updater struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	board  *health.Board
	health *health.Condition
	dir    folder
	fetch  *download.Downloader
	boot   string // the kernel's identifier of this boot
	pid    int    // of this process
	wake   chan struct{}
	saved  func() error // called after each durable write; tests cut the power in it; nil otherwise
	free   func(path string) (uint64, error)

	mu      sync.Mutex
	state   state
	lowest  string // the lowest version that may be installed
	live    live
	run     run
	unknown bool // the state was damaged: this version may never have been confirmed
}

// live is the part of Status that a restart forgets.
type live struct {
	started  time.Time
	percent  int       // of the download or the installation under way
	loading  bool      // a download is under way
	reason   string    // a sentence: why the update goes no further
	refused  bool      // because of what the server offers
	failed   string    // the offered version, if it failed here before
	heard    time.Time // when the server last answered
	missed   int       // how often it has not answered since
	nextPoll time.Time
}

// run is state that only Run uses.
type run struct {
	slots  SlotStatus
	good   bool      // the slot that runs was marked
	begun  time.Time // the trial, or the old version's check of the broker
	proved time.Time // when camera, store and self-test had succeeded
	asked  time.Time // when the system was last asked to restart
}

// New returns an updater for a configuration that is On. It reads the state of the update, so
// that it is known what this start is before anything else of the camera begins.
func New(cfg Config, log *slog.Logger, board *health.Board, deps Deps) (*Updater, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if !release.ValidVersion(deps.Version) {
		return nil, fmt.Errorf("%w: %q is no version of an image: it must be three numbers such as 1.2.0; set IMAGE_VERSION in /etc/os-release", errConfig, deps.Version)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id") // the kernel's identifier of this boot: random(4)
	if err != nil {
		return nil, fmt.Errorf("tell this start from the one before: %w", err)
	}
	return open(cfg, log, board, deps, strings.TrimSpace(string(boot)), os.Getpid())
}

func open(cfg Config, log *slog.Logger, board *health.Board, deps Deps, boot string, pid int) (*Updater, error) {
	u := &Updater{
		cfg: cfg, deps: deps, log: log.With("component", "update"), board: board, health: board.Condition("update"),
		dir: folder(filepath.Join(deps.State, "update")), boot: boot, pid: pid, wake: make(chan struct{}, 1), free: freeSpace,
	}
	u.fetch = download.New(download.Config{HTTP: deps.HTTP, Rate: cfg.RateKbit * 1000 / 8, Wait: u.disturbs})
	var err error
	if u.state, u.unknown, err = u.dir.open(); err != nil {
		return nil, err
	}
	confirmed := deps.Version
	if old := u.state.Old; release.ValidVersion(old) {
		confirmed = old
	}
	if u.lowest, err = u.dir.lowest(confirmed); err != nil {
		return nil, fmt.Errorf("read the lowest allowed version: %w", err)
	}
	if u.unknown {
		u.log.Error("the state of updates was damaged, and was set aside")
	}
	u.live.started = time.Now()
	u.live.nextPoll = time.Now().Add(rand.N(firstPoll)) //nolint:gosec // so that not all cameras ask at once
	return u, nil
}

// String names the component.
func (u *Updater) String() string { return "update" }

// Run installs updates until ctx ends. Its error is one of the storage.
func (u *Updater) Run(ctx context.Context, ready func()) error {
	ready()
	for {
		wait, err := u.step(ctx)
		if err != nil && ctx.Err() == nil {
			u.health.Set(health.Failed, "The state of updates can't be saved: the storage may be full or failing.")
			return err
		}
		u.report()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-u.wake:
			timer.Stop()
		}
	}
}

// How long to wait before the next step.
const (
	look = time.Second // while something is watched closely
	rest = time.Minute
)

// step does what can be done now, and returns how long to wait before the next step.
func (u *Updater) step(ctx context.Context) (time.Duration, error) {
	if err := u.tellAll(); err != nil {
		return 0, err
	}
	switch s := u.read(); s.Phase {
	case offered:
		return u.bring(ctx, s)
	case idle:
		return u.poll(ctx)
	default:
		return u.carryOn(ctx, s)
	}
}

// carryOn continues an update that has touched a slot. Which slot runs decides how.
func (u *Updater) carryOn(ctx context.Context, s state) (time.Duration, error) {
	slots, err := u.where(ctx)
	if err != nil {
		return u.lost(ctx, s, err)
	}
	switch {
	case slots.Booted == s.Into:
		return u.trial(ctx, s)
	case slots.Booted != s.From:
		u.log.Error("neither the old nor the new slot runs", "booted", foreign.Line(slots.Booted))
		return look, u.change(func(s *state) { s.end() })
	}
	switch s.Phase {
	case installing:
		return u.resumeInstall(ctx, s)
	case installed, restarting:
		return u.awaitRestart(ctx, s)
	case undecided:
		return u.judge(ctx, s)
	}
	if s.Phase == trying { // the old version runs, and the new one did not give up itself
		return u.fellBack(s, "it did not stay up, and the boot loader went back to the previous version")
	}
	u.setReason("", false)
	err = u.change(func(s *state) { s.end() })
	u.sweep()
	return 0, err
}

// where returns the status of the slots. The running slot never changes while it runs.
func (u *Updater) where(ctx context.Context) (SlotStatus, error) {
	if u.run.slots.Booted != "" {
		return u.run.slots, nil
	}
	slots, err := u.deps.Slots.Status(ctx)
	if err == nil {
		u.run.slots = slots
	}
	return slots, err
}

// lost handles an installer that does not say which slot runs. A new version whose installer
// does not work could never be confirmed or replaced, so it fails. Without marks the boot
// loader's counter ends it.
func (u *Updater) lost(ctx context.Context, s state, err error) (time.Duration, error) {
	u.setReason(sentence(err), false)
	switch {
	case u.deps.Version != s.Offer.Version:
		return rest, nil
	case s.Phase == returning || s.Phase == undecided:
		return u.rollBack(ctx, s)
	case time.Since(u.live.started) < proofTime:
		return look, nil
	}
	return u.giveUp(s, "it can't say which slot it runs in")
}

// read returns a copy of the state.
func (u *Updater) read() state {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

// change makes a change of the state durable before it takes effect.
func (u *Updater) change(how func(*state)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	next := u.state
	next.Failed = append([]failure(nil), next.Failed...)
	next.Tell = append([]proto.UpdateStep(nil), next.Tell...)
	how(&next)
	if err := u.dir.save(next); err != nil {
		return err
	}
	u.state = next
	return u.durable()
}

// durable must be called after each durable write.
func (u *Updater) durable() error {
	if u.saved == nil {
		return nil
	}
	return u.saved()
}

// setReason keeps why an update goes no further.
func (u *Updater) setReason(reason string, refused bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live.reason, u.live.refused, u.live.failed, u.live.loading, u.live.percent = foreign.Line(reason), refused, "", false, 0
}

func (u *Updater) progress(percent int, loading bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.live.percent, u.live.loading, u.live.reason = percent, loading, ""
}

// tellAll reports to the household the steps that it does not know yet, in order. What
// fails is tried later: only before a slot is written and before a restart it must succeed.
func (u *Updater) tellAll() error {
	for {
		s := u.read()
		if len(s.Tell) == 0 {
			return nil
		}
		if err := u.deps.Household.Tell(s.Tell[0]); err != nil {
			u.log.Warn("the household can't be told of a step", "step", string(s.Tell[0].Kind), "error", err)
			return nil //nolint:nilerr // it is kept, and tried with the next step
		}
		if err := u.change(func(s *state) { s.Tell = s.Tell[1:] }); err != nil {
			return err
		}
	}
}

// told reports whether the household knows every step so far.
func (u *Updater) told() bool { return len(u.read().Tell) == 0 }

// report sets the health condition.
func (u *Updater) report() {
	u.mu.Lock()
	s, l := u.state, u.live
	u.mu.Unlock()
	heard := l.started
	if l.heard.After(heard) {
		heard = l.heard
	}
	switch {
	case s.Fork:
		u.health.Set(health.Failed, cmp.Or(l.reason, "The release log was forked, so nothing is installed from it."))
	case l.refused:
		u.health.Set(health.Degraded, l.reason)
	case time.Since(heard) > unheard && l.reason != "":
		u.health.Set(health.Degraded, l.reason)
	default:
		u.health.Set(health.OK, "")
	}
}

// short makes foreign text fit for the access log.
func short(reason string) string {
	reason = foreign.Line(reason)
	if len(reason) > proto.MaxUpdateReason {
		reason = strings.ToValidUTF8(reason[:proto.MaxUpdateReason-len("…")], "") + "…"
	}
	return reason
}

// sentence returns an error as people read it.
func sentence(err error) string {
	return strings.TrimPrefix(err.Error(), ErrRefused.Error()+": ") // by what it is a step of, that is said
}
