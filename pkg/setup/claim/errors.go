package claim

import (
	"errors"
	"fmt"
)

// Errors that a caller may match.
var (
	ErrFixed = errors.New("the configuration's certificate can't be replaced")
	ErrBusy  = errors.New("another certificate is being tried")
)

// Problem is why there is no new certificate. Error returns a sentence for people, Unwrap the
// cause, if there is one.
type Problem struct {
	Sentence string
	cause    error
}

func (p *Problem) Error() string { return p.Sentence }
func (p *Problem) Unwrap() error { return p.cause }

func problem(format string, args ...any) error {
	return &Problem{Sentence: fmt.Sprintf(format, args...)}
}
