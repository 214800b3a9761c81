package envelope

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// CameraCard is what a new member needs to reach a camera: which one, its keys, and
// its broker. A member who was there before signs it and seals it for the new one,
// who trusts it by comparing six words of Key's name with those that the signer
// shows. docs/protocol.md 2.8.
type CameraCard struct {
	Key      string         `json:"key"` // key card (2.3) of who signed
	By       string         `json:"by"`  // name of who signed
	Device   proto.DeviceID `json:"deviceId"`
	Camera   string         `json:"camera,omitempty"` // what the signer calls the camera
	Identity []byte         `json:"identity"`         // PKIX public key of the device identity
	Trio     string         `json:"trio"`             // signed, 2.4
	Epoch    uint64         `json:"ep"`
	Member   string         `json:"member"` // the new member's name
	Role     proto.Role     `json:"role"`
	Broker   BrokerLogin    `json:"broker"`
}

// BrokerLogin says where device and clients meet, and how the new member gets in.
type BrokerLogin struct {
	URL         string `json:"url"`
	CA          string `json:"ca,omitempty"` // PEM
	ServerName  string `json:"serverName,omitempty"`
	Certificate string `json:"certificate,omitempty"` // PEM
	Key         string `json:"key,omitempty"`         // PEM
	User        string `json:"user,omitempty"`
	Password    string `json:"password,omitempty"`
}

// String hides key and password.
func (BrokerLogin) String() string { return "broker login" }

// SealCard signs c by its maker's key and seals it for the new member's.
func SealCard(c CameraCard, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	key, _ := by.Public().(*ecdsa.PublicKey)
	id, err := Thumbprint(key)
	if err != nil {
		return nil, err
	}
	jws, err := Sign(TypeCard, string(id), c, by)
	if err != nil {
		return nil, err
	}
	return seal(jws, to)
}

// OpenCard undoes SealCard. It returns the key of whoever signed, which is trusted
// by nothing yet, and has checked that identity, trio and device fit each other.
// Errors: ErrOversized, ErrGarbled, ErrKey, ErrSignature, ErrClaims.
func OpenCard(msg []byte, with *ecdh.PrivateKey) (CameraCard, PublicKey, error) {
	jws, err := unseal(msg, with)
	if err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	var c CameraCard
	if err := Peek(jws, TypeCard, &c); err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	signer, err := VerifyKeyCard([]byte(c.Key))
	if err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	if err := Verify(jws, TypeCard, string(signer.ClientID()), signer.Sig, &c); err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	return c, signer, c.check()
}

func (c CameraCard) check() error {
	key, err := x509.ParsePKIXPublicKey(c.Identity)
	if err != nil {
		return fmt.Errorf("%w: identity: %w", ErrClaims, err)
	}
	identity, ok := key.(*ecdsa.PublicKey)
	if !ok || identity.Curve != elliptic.P256() {
		return fmt.Errorf("%w: the identity is not on P-256", ErrKey)
	}
	trio, err := VerifyTrio([]byte(c.Trio), identity)
	if err != nil {
		return err
	}
	if trio.Device != c.Device || trio.Epoch != c.Epoch {
		return fmt.Errorf("%w: the trio is of another device or epoch", ErrClaims)
	}
	return nil
}
