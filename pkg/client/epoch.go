package client

import (
	"unicode"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// maxReason bounds what is shown of a reason, in bytes.
const maxReason = 200

// laterEpoch reads what the device identity says in the status of the household in
// force. It is nil unless it is signed and of a later epoch than the record's:
// anyone who can publish can repeat what was once true. docs/protocol.md 2.7.
func (r Record) laterEpoch(status proto.Status) *envelope.Epoch {
	if status.Epoch == "" {
		return nil
	}
	identity, err := r.identity()
	if err != nil {
		return nil
	}
	e, err := envelope.VerifyEpoch([]byte(status.Epoch), identity)
	if err != nil || e.Device != r.Device || e.Epoch <= r.Epoch {
		return nil
	}
	return &e
}

// moved says why the camera does not know this client any more.
func (r Record) moved(e envelope.Epoch) error {
	reason := ""
	if e.Reason != "" {
		reason = " (" + printable(e.Reason) + ")"
	}
	return problem(ErrNewEpoch, "The household of the camera %s has ended and a new one begun%s: nobody of the earlier one is known to it any more. "+
		"Pair again at the camera, or ask its owner to let you in.", r.Title(), reason)
}

// printable keeps what a device wrote from playing with the terminal.
func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s[:min(len(s), maxReason)] {
		if !unicode.IsPrint(r) { // no control of any kind, of the direction of writing neither
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
