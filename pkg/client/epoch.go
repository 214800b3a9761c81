package client

import (
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// laterEpoch returns the epoch in a status, if the camera's identity key signed it and it
// is later than the record's; else nil. Anyone who can publish can repeat what was once
// true. docs/protocol.md 2.7.
func laterEpoch(r home.Record, status proto.Status) *envelope.Epoch {
	if status.Epoch == "" {
		return nil
	}
	identity, err := r.IdentityKey()
	if err != nil {
		return nil
	}
	e, err := envelope.VerifyEpoch([]byte(status.Epoch), identity)
	if err != nil || e.Device != r.Device || e.Epoch <= r.Epoch {
		return nil
	}
	return &e
}

// moved returns an error that says why the camera does not know this client any more.
func moved(r home.Record, e envelope.Epoch) error {
	reason := ""
	if e.Reason != "" {
		reason = " (" + home.Printable(e.Reason) + ")"
	}
	return home.NewProblem(ErrNewEpoch, "The household of the camera %s has ended and a new one has begun%s: the camera no longer knows anyone of the earlier one. "+
		"Pair again at the camera, or ask its owner to add you.", r.Title(), reason)
}
