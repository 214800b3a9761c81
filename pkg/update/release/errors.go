package release

import (
	"errors"
	"fmt"
)

// Errors of a look that finds no release to install.
var (
	// ErrNone means that there is nothing newer, or that it is withheld from this device.
	ErrNone = errors.New("there is no newer release for this device")
	// ErrBeyond is an ErrNone: there are newer releases, but the running version is too old
	// to update to one directly.
	ErrBeyond = fmt.Errorf("%w that the running version can update to", ErrNone)
	// ErrUnreachable means that the published files could not be read. A later try may work.
	ErrUnreachable = errors.New("the update server can't be reached")
	// ErrRefused means that the published files must not be trusted as they are.
	ErrRefused = errors.New("what the update server publishes is refused")
	// ErrFork means that two states of the release log are signed that one log can't have.
	// Somebody whom the image trusts has lied: no release is taken from the log any more.
	ErrFork = errors.New("the release log was forked: its keepers have signed two different pasts")
	// ErrLogBack is the error for a release log that is shorter than one that was signed before.
	ErrLogBack = errors.New("the release log has gone back: it is shorter than the last one that this device saw")
)
