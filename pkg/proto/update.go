package proto

// UpdateDo is what OpUpdate is asked to do. docs/protocol.md 12.2.
type UpdateDo string

// What there is to do. All but UpdateDoStatus need the scope update.
const (
	UpdateDoStatus   UpdateDo = "status"   // say how it stands
	UpdateDoCheck    UpdateDo = "check"    // look for a release now
	UpdateDoInstall  UpdateDo = "install"  // install and restart now, whatever the hours say
	UpdateDoPostpone UpdateDo = "postpone" // not before Until
)

// UpdateRequest is the body of OpUpdate. docs/protocol.md 12.2.
type UpdateRequest struct {
	Do    UpdateDo `json:"do"`
	Until int64    `json:"until,omitempty"` // UpdateDoPostpone: Unix seconds; 0 ends a postponement
}

// Valid reports whether it asks for one thing that there is.
func (q UpdateRequest) Valid() bool {
	switch q.Do {
	case UpdateDoStatus, UpdateDoCheck, UpdateDoInstall:
		return q.Until == 0
	case UpdateDoPostpone:
		return q.Until >= 0 && q.Until < 1<<53
	}
	return false
}

// Scopes returns what the request needs: seeing how it stands needs none.
func (q UpdateRequest) Scopes() []Scope {
	if q.Do == UpdateDoStatus {
		return nil
	}
	return []Scope{ScopeUpdate}
}

// UpdateState says how far an update has come. docs/protocol.md 12.1.
type UpdateState string

// The states, in the order of an update that goes well, and then those in which none is
// under way.
const (
	UpdateAvailable   UpdateState = "available"   // a release was found; it waits, and Reason may say for what
	UpdateDownloading UpdateState = "downloading" // Percent of it is there
	UpdateInstalling  UpdateState = "installing"  // into the slot that does not run
	UpdateInstalled   UpdateState = "installed"   // the next start runs it; waits for a quiet time
	UpdateRestarting  UpdateState = "restarting"  // now
	UpdateTrial       UpdateState = "trial"       // the new version runs and has to prove itself

	UpdateOff     UpdateState = "off"     // the configuration names no update server
	UpdateCurrent UpdateState = "current" // nothing newer is meant for this camera
	UpdateRefused UpdateState = "refused" // what the update server offers was refused; Reason says why
	UpdateFailed  UpdateState = "failed"  // the newest release did not work here, and is not tried again
)

// UpdateStatus is the body of the answer to OpUpdate, and a part of StatusAnswer.
// docs/protocol.md 12.1.
type UpdateStatus struct {
	State     UpdateState `json:"state"`
	Version   string      `json:"version"`             // that runs
	Offered   string      `json:"offered,omitempty"`   // that State is about
	Notes     string      `json:"notes,omitempty"`     // its maker's words for people; not in StatusAnswer
	Security  bool        `json:"security,omitempty"`  // it closes a hole, so it can't be postponed for long
	Percent   int         `json:"percent,omitempty"`   // of the download or the installation
	Checked   int64       `json:"checked,omitempty"`   // Unix seconds: when the update server was last heard
	Postponed int64       `json:"postponed,omitempty"` // Unix seconds: not before
	Latest    int64       `json:"latest,omitempty"`    // Unix seconds: it can't be postponed further
	Reason    string      `json:"reason,omitempty"`    // a sentence for people, empty when all is well
}

// UpdateStepKind is the kind of an UpdateStep. docs/protocol.md 12.3.
type UpdateStepKind string

// The steps.
const (
	StepAvailable  UpdateStepKind = "available"  // a release was found that will be installed
	StepInstalling UpdateStepKind = "installing" // it was downloaded and verified, and is about to be written
	StepInstalled  UpdateStepKind = "installed"  // it is there, and runs with the next start
	StepRestarting UpdateStepKind = "restarting" // into it
	StepConfirmed  UpdateStepKind = "confirmed"  // it has proved itself, and stays
	StepFailed     UpdateStepKind = "failed"     // it did not, and the previous version is back, or still there
	StepUndecided  UpdateStepKind = "undecided"  // it could not prove itself, since the broker was out of reach; later again
	StepRefused    UpdateStepKind = "refused"    // what the update server gave is not what may be installed
	StepFork       UpdateStepKind = "fork"       // the release log showed this camera something else than others
	StepAsked      UpdateStepKind = "asked"      // somebody asked for it at once
	StepPostponed  UpdateStepKind = "postponed"  // somebody put it off
)

// MaxUpdateReason bounds UpdateStep.Reason, in bytes.
const MaxUpdateReason = 200

// UpdateStep is one step of an update, of which all members are notified.
type UpdateStep struct {
	Kind    UpdateStepKind
	Version string // of the release; empty if there is none that can be trusted
	Reason  string // why, as text after a colon; empty if Kind is enough
	Until   int64  // StepPostponed: Unix seconds; 0: not any more
}
