package client

import (
	"errors"

	"github.com/camd-project/camd/pkg/proto"
)

// Errors that a caller may want to distinguish.
var (
	ErrOffline  = errors.New("camera is offline")
	ErrNoAnswer = errors.New("no answer")
	ErrClosed   = errors.New("closed")
	ErrDemoted  = errors.New("not an owner any more")
	ErrLost     = errors.New("connection lost")
	ErrNewEpoch = errors.New("the camera has a new household")
)

// Refused is the camera's signed refusal of a request.
type Refused struct{ Code proto.Code }

func (r *Refused) Error() string { return r.Code.Sentence() }
