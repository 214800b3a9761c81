package auth

import (
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Ring logs a press of the doorbell, of which all members get a notice. It does not wait for a
// change of the household that is under way, so that the bell rings at once.
func (a *Authority) Ring() (entry uint64, err error) {
	if code := a.sessions.whyBarred(); code != "" {
		return 0, proto.Refuse(code)
	}
	return a.journal.Append(atDevice.entry(accesslog.KindRing))
}
