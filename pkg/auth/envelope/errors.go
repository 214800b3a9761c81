package envelope

import "errors"

// Why a message was refused, to be counted by the receiver and matched with
// errors.Is. A remote peer learns none of them. docs/protocol.md 4.1.6.
var (
	ErrOversized  = errors.New("message is larger than allowed")
	ErrGarbled    = errors.New("message is not a well-formed envelope of the expected kind, or not sealed for this key")
	ErrUnknownKey = errors.New("message names a signing key that is not known")
	ErrSignature  = errors.New("message is not signed by the key that it names")
	ErrClaims     = errors.New("signed claims can't be read or contradict the signing key")
	ErrKey        = errors.New("not a usable public key")
)
