package auth

import (
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Ring logs that someone pressed the bell, and so tells every member. It waits for no
// change of the household: whoever is at the door doesn't either.
func (a *Authority) Ring() (entry uint64, err error) {
	if code := a.sessions.whyBarred(); code != "" {
		return 0, proto.Refuse(code)
	}
	return a.journal.Append(atDevice.entry(accesslog.KindRing))
}

// EpochFolder is the folder of the epoch's keys. What lies in it is overwritten and
// removed when the epoch has ended. docs/protocol.md 5.10.
func (a *Authority) EpochFolder() string { return epochFolder(a.cfg.State, a.household.epoch) }
