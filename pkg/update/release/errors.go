package release

import (
	"errors"
	"fmt"
)

// How a look for releases ends that offers none.
var (
	// ErrNone means that nothing newer is there, or that it is withheld from this device.
	ErrNone = errors.New("there is no newer release for this device")
	// ErrBeyond is an ErrNone: newer releases are there, but the running version is too old
	// to update to one directly.
	ErrBeyond = fmt.Errorf("%w that the running version can update to", ErrNone)
	// ErrUnreachable means that the published files could not be read: later they may be.
	ErrUnreachable = errors.New("the update server can't be reached")
	// ErrRefused means that what is published must not be trusted as it is.
	ErrRefused = errors.New("what the update server publishes is refused")
	// ErrFork is the error for a release log of which two states are signed that no one log can
	// have. Somebody whom the image trusts has lied to somebody: no release is taken from
	// it any more.
	ErrFork = errors.New("the release log was forked: its keepers have signed two different pasts")
	// ErrLogBack is the error for a release log that is shorter than one that was signed before.
	ErrLogBack = errors.New("the release log has gone back: it is shorter than the last one that this device saw")
)
