package store

import "errors"

var (
	// ErrDamaged means that a completed check found wrong structure. The caller
	// sets the file aside and begins a new epoch.
	ErrDamaged = errors.New("the file is damaged")
	// ErrMissing means that there is no such file.
	ErrMissing = errors.New("the file is missing")
	// ErrLocked means that another process holds the file.
	ErrLocked = errors.New("another process holds it; is camd already running?")
	// ErrNewer means that a newer camd wrote the file.
	ErrNewer = errors.New("it was written by a newer camd; install that version again")
	// ErrNotFound means that a bucket has no such key.
	ErrNotFound = errors.New("no such key")
	// ErrSealed means that a sealed value does not open with this sealing key. It
	// is damage: errors.Is(err, ErrDamaged) holds too.
	ErrSealed = &sealError{}
)

type sealError struct{}

func (*sealError) Error() string { return "a sealed value does not open" }
func (*sealError) Unwrap() error { return ErrDamaged }
