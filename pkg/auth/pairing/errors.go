package pairing

import (
	"errors"
	"slices"
	"strings"

	"github.com/camd-project/camd/pkg/proto"
)

// How a pairing failed, to be matched with errors.Is. A refusal by the device's
// Enroll is a *proto.Refusal on both sides and none of these. docs/protocol.md 3.9.
var (
	ErrSecret   = errors.New("peer does not hold the label's secret")
	ErrIdentity = errors.New("device's identity key is not the label's")
	ErrTampered = errors.New("message was changed, transplanted or badly signed")
	ErrProtocol = errors.New("message is malformed, oversized or out of turn")
	ErrAborted  = errors.New("peer went away or pairing was cancelled")
	ErrLabel    = errors.New("not a camd label")
)

type sentence struct {
	err  error
	text string
}

var sentences = []sentence{
	{ErrSecret, "The label's secret does not match this camera. Scan or type the label of the camera itself."},
	{ErrIdentity, "The device that answered is not the camera on the label, and nothing was sent to it. Compare each character of the label, or scan it: if all are right, something stands between you and the camera."},
	{ErrTampered, "The messages of the pairing were changed on the way. Nothing was paired; try again close to the camera."},
	{ErrProtocol, "The other side does not speak this version of pairing. Update camd or the app."},
	{ErrAborted, "The pairing ended before it was done. A character of the label may be wrong, or it is another camera's, or the pairing window has closed; open it and try again."},
}

// IsFailure reports whether err is a pairing's own: one of the above, a refusal, or what is
// wrong with settings.
func IsFailure(err error) bool {
	var refusal *proto.Refusal
	var problem *proto.SetupProblem
	return errors.As(err, &refusal) || errors.As(err, &problem) ||
		slices.ContainsFunc(sentences, func(s sentence) bool { return errors.Is(err, s.err) })
}

// Sentence is what a person reads of an error of this package: what happened and
// what to do.
func Sentence(err error) string {
	var refusal *proto.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code.Sentence()
	}
	var problem *proto.SetupProblem
	if errors.As(err, &problem) {
		return problem.Error()
	}
	if errors.Is(err, ErrLabel) {
		return "This is not a usable camera label: " + strings.TrimPrefix(err.Error(), ErrLabel.Error()+": ") + "."
	}
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return s.text
		}
	}
	return proto.CodeInternal.Sentence()
}
