package client

import (
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// What a caller may want to match.
var (
	ErrOffline  = errors.New("camera is offline")
	ErrNoAnswer = errors.New("no answer")
	ErrNoCamera = errors.New("no such camera")
	ErrClosed   = errors.New("closed")
	ErrDemoted  = errors.New("not an owner any more")
	ErrLost     = errors.New("connection lost")
	ErrNewer    = errors.New("written by a newer version")
	ErrNewEpoch = errors.New("the camera has a new household")
	ErrCard     = errors.New("not a camera card for this client")
)

// Refused is the camera's signed refusal of a request.
type Refused struct{ Code proto.Code }

func (r *Refused) Error() string { return r.Code.Sentence() }

// Problem is an error for people: a sentence that says what happened and what to
// do. The cause is for programs and logs.
type Problem struct {
	Sentence string
	Cause    error
}

func (p *Problem) Error() string { return p.Sentence }
func (p *Problem) Unwrap() error { return p.Cause }

// problem makes a Problem.
func problem(cause error, format string, args ...any) error {
	return &Problem{Sentence: fmt.Sprintf(format, args...), Cause: cause}
}
