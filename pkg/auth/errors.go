package auth

import (
	"errors"

	"github.com/camd-project/camd/pkg/auth/naming"
)

var (
	// ErrWindowClosed says that nobody has opened the pairing window, or that it
	// has closed again.
	ErrWindowClosed = errors.New("the pairing window is closed; open it with camd pair")
	// ErrPairingBusy says that another pairing is under way.
	ErrPairingBusy = errors.New("another pairing is under way; try again in a moment")
	// ErrName says that a member's name can't be used.
	ErrName = naming.ErrName
)
