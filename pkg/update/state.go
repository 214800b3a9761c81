package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// phase is the progress of an update.
type phase string

const (
	idle       phase = ""           // none is under way
	offered    phase = "offered"    // found; will be downloaded and inspected
	installing phase = "installing" // the other slot is being written, or was when power went
	installed  phase = "installed"  // the next start runs it
	restarting phase = "restarting" // the system was asked to restart into it
	trying     phase = "trying"     // the new version runs and proves itself
	returning  phase = "returning"  // it failed: the old one must run again
	undecided  phase = "undecided"  // it did not reach the broker: the old one must try
)

var phases = []phase{idle, offered, installing, installed, restarting, trying, returning, undecided}

// state is what survives a power cut. Both slots read it: an earlier version ignores what a
// later one adds.
type state struct {
	Format int   `json:"v"`
	Phase  phase `json:"phase,omitempty"`

	Offer *release.Offer `json:"offer,omitempty"` // in every phase but idle
	Since int64          `json:"since,omitempty"` // Unix seconds: when it was found
	Asked bool           `json:"asked,omitempty"` // a person wants it now

	From   string `json:"from,omitempty"`   // slot of the version that runs until it is confirmed
	Into   string `json:"into,omitempty"`   // slot of the new one
	Old    string `json:"old,omitempty"`    // the version in From
	Boot   string `json:"boot,omitempty"`   // the kernel's identifier of the boot in which Phase began
	Pid    int    `json:"pid,omitempty"`    // of the camd that began the trial in that boot
	Boots  int    `json:"boots,omitempty"`  // how often the new version was started
	Torn   int    `json:"torn,omitempty"`   // how often RAUC broke its installation off
	Camera bool   `json:"camera,omitempty"` // the old version had a picture, so the new one must

	Retry  retry     `json:"retry,omitzero"`
	Failed []failure `json:"failed,omitempty"` // the newest last
	Fork   bool      `json:"fork,omitempty"`   // the household was notified
	Doubt  string    `json:"doubt,omitempty"`  // why the server's list is refused; the household was notified

	Postponed int64              `json:"postponed,omitempty"` // Unix seconds: not before
	Tell      []proto.UpdateStep `json:"tell,omitempty"`      // steps of which the household was not notified yet, in order
}

// retry postpones a version that failed, twice as long after each try.
type retry struct {
	Version string `json:"version"`
	At      int64  `json:"at"` // Unix seconds
	Count   int    `json:"count"`
	Reason  string `json:"reason"`
}

// failure is a version that is not tried again.
type failure struct {
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

const (
	stateFormat = 1
	stateFile   = "state.json"
	lowestFile  = "lowest"
	bundleFile  = "bundle.raucb"
)

var errState = errors.New("not the state of an update")

func parseState(text []byte) (state, error) {
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return state{}, fmt.Errorf("%w: %w", errState, err)
	}
	switch {
	case s.Format < stateFormat || !slices.Contains(phases, s.Phase):
		return state{}, fmt.Errorf("%w: format %d, phase %q", errState, s.Format, s.Phase)
	case (s.Phase != idle) != (s.Offer != nil):
		return state{}, fmt.Errorf("%w: phase %q", errState, s.Phase)
	case s.Offer != nil && (!release.ValidVersion(s.Offer.Version) || !release.ValidVersion(s.Offer.Lowest) || s.Offer.Size <= 0 || len(s.Offer.SHA256) != 32):
		return state{}, fmt.Errorf("%w: version %.40q", errState, s.Offer.Version)
	case s.Phase != idle && s.Phase != offered && (s.From == "" || s.Into == "" || s.From == s.Into):
		return state{}, fmt.Errorf("%w: slots %.40q and %.40q", errState, s.From, s.Into)
	case len(s.Failed) > maxFailed || s.Retry.Count < 0 || s.Boots < 0 || s.Torn < 0:
		return state{}, fmt.Errorf("%w: counts", errState)
	}
	return s, nil
}

// folder holds all files of the Updater.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// open makes the folder and reads the state. A damaged state is set aside: the update is
// forgotten, and the boot loader's marks decide. The protection against old versions does not
// depend on the state but on the file of the lowest version.
func (f folder) open() (s state, damaged bool, err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return state{}, false, fmt.Errorf("make the folder of updates: %w", err)
	}
	text, err := store.ReadFile(f.path(stateFile))
	switch {
	case errors.Is(err, store.ErrMissing):
		return state{Format: stateFormat}, false, nil
	case err == nil:
		if s, err = parseState(text); err == nil {
			return s, false, nil
		}
	case !errors.Is(err, store.ErrDamaged):
		return state{}, false, err
	}
	if _, err := store.SetAside(f.path(stateFile)); err != nil {
		return state{}, false, err
	}
	return state{Format: stateFormat}, true, nil
}

func (f folder) save(s state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the state of the update: %w", err)
	}
	return store.WriteFile(f.path(stateFile), text)
}

// lowest returns the lowest allowed version. If its file is missing or damaged, it becomes
// the version that is known to be confirmed.
func (f folder) lowest(confirmed string) (string, error) {
	text, err := store.ReadFile(f.path(lowestFile))
	if v := strings.TrimSuffix(string(text), "\n"); err == nil && release.ValidVersion(v) {
		return v, nil
	}
	if err != nil && !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrDamaged) {
		return "", err
	}
	if errors.Is(err, store.ErrDamaged) {
		if _, err := store.SetAside(f.path(lowestFile)); err != nil {
			return "", err
		}
	}
	return confirmed, f.raise(confirmed)
}

// raise writes the lowest allowed version. The install-check hook reads it too.
func (f folder) raise(version string) error {
	return store.WriteFile(f.path(lowestFile), []byte(version+"\n"))
}

// failedBefore returns why a version is not tried again, or "" if it may be tried.
func (s *state) failedBefore(version string) string {
	for _, f := range s.Failed {
		if f.Version == version {
			return f.Reason
		}
	}
	return ""
}

// fail notes that a version must not be tried again.
func (s *state) fail(version, reason string) {
	s.Failed = append(slices.DeleteFunc(s.Failed, func(f failure) bool { return f.Version == version }), failure{version, reason})
	s.Failed = s.Failed[max(0, len(s.Failed)-maxFailed):]
	if s.Retry.Version == version {
		s.Retry = retry{}
	}
}

// end forgets the update.
func (s *state) end() {
	*s = state{Format: s.Format, Retry: s.Retry, Failed: s.Failed, Fork: s.Fork, Doubt: s.Doubt, Tell: s.Tell}
}

// tell adds a step of which the household will be notified.
func (s *state) tell(kind proto.UpdateStepKind, version, reason string) {
	step := proto.UpdateStep{Kind: kind, Version: version, Reason: short(reason)}
	if len(s.Tell) < maxTell {
		s.Tell = append(s.Tell, step)
	} else { // no step could be reported for long: the newest counts
		s.Tell[len(s.Tell)-1] = step
	}
}

const maxTell = 64
