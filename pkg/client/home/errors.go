package home

import (
	"errors"
	"fmt"
)

// Errors that a caller may want to distinguish.
var (
	ErrNoCamera = errors.New("no such camera")
	ErrNewer    = errors.New("written by a newer version")
	ErrCard     = errors.New("not a camera card for this client")
)

// Problem is an error for people: a sentence that says what happened and what to
// do. The cause is for programs and logs.
type Problem struct {
	Sentence string
	Cause    error
}

func (p *Problem) Error() string { return p.Sentence }
func (p *Problem) Unwrap() error { return p.Cause }

// NewProblem returns a Problem with a sentence that is formatted as by fmt.Sprintf.
func NewProblem(cause error, format string, args ...any) error {
	return &Problem{Sentence: fmt.Sprintf(format, args...), Cause: cause}
}
