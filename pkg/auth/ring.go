package auth

import (
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Ring logs a press of the doorbell, of which all members get a notice. It waits for no change
// of the household: the person at the door does not either.
func (a *Authority) Ring() (entry uint64, err error) {
	if code := a.sessions.whyBarred(); code != "" {
		return 0, proto.Refuse(code)
	}
	return a.journal.Append(atDevice.entry(accesslog.KindRing))
}

// EpochFolder returns the folder of the epoch's keys. Its files are overwritten and removed
// when the epoch has ended. docs/protocol.md 5.10.
func (a *Authority) EpochFolder() string { return epochFolder(a.cfg.State, a.household.epoch) }
