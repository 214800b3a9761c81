package auth

import (
	"errors"

	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/store"
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

var (
	// ErrExists says that the factory has made an identity before.
	ErrExists = errors.New("this device has an identity already; it is made once in a device's life")
	// ErrNoIdentity says that the factory has not made an identity yet.
	ErrNoIdentity = errors.New("this device has no identity yet; run camd factory init")
	// ErrIdentity says that files of the identity are damaged or missing.
	ErrIdentity = errors.New("the camera's identity is damaged; camd factory repair says what is lost, and makes it anew")
	// ErrWindowClosed says that nobody has opened the pairing window, or that it
	// has closed again.
	ErrWindowClosed = errors.New("the pairing window is closed; open it with camd pair")
	// ErrPairingBusy says that another pairing is under way.
	ErrPairingBusy = errors.New("another pairing is under way; try again in a moment")
	// ErrName says that a member's name can't be used.
	ErrName = naming.ErrName
)
