package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// Epoch is what the device identity says of the household epoch that is in force,
// in the retained status: so members of an earlier one learn why the device does
// not know them any more. docs/protocol.md 2.7.
type Epoch struct {
	Device proto.DeviceID `json:"deviceId"`
	Epoch  uint64         `json:"ep"`
	Trio   string         `json:"trio"` // signed, 2.4
	Reason string         `json:"reason"`
}

// SignEpoch makes the statement.
func SignEpoch(e Epoch, identity crypto.Signer) ([]byte, error) {
	return Sign(TypeEpoch, "", e, identity)
}

// VerifyEpoch reads the statement of the device whose identity key is known, and
// has checked that the trio is of the same device and epoch. Whether the epoch is
// news is the caller's to check: a broker can show an old statement again. Errors:
// ErrOversized, ErrGarbled, ErrKey, ErrSignature, ErrClaims.
func VerifyEpoch(jws []byte, identity *ecdsa.PublicKey) (Epoch, error) {
	var e Epoch
	if err := Verify(jws, TypeEpoch, "", identity, &e); err != nil {
		return Epoch{}, err
	}
	trio, err := VerifyTrio([]byte(e.Trio), identity)
	if err != nil {
		return Epoch{}, err
	}
	if trio.Device != e.Device || trio.Epoch != e.Epoch {
		return Epoch{}, fmt.Errorf("%w: the trio is of another device or epoch", ErrClaims)
	}
	return e, nil
}
