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
