package envelope

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/camd-project/camd/pkg/proto"
)

// CameraCard is what a new member needs to reach a camera: which one, its keys, and
// its broker. A member who was there before signs it and seals it for the new one,
// who trusts it by comparing six words of Key's name with those that the signer
// shows. docs/protocol.md 2.8.
type CameraCard struct {
	Audience string         `json:"aud"` // thumbprint of the key that it is sealed for; SealCard sets it
	Key      string         `json:"key"` // key card (2.3) of the signer
	By       string         `json:"by"`  // name of the signer
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
// docs/protocol.md 2.8.
type BrokerLogin struct {
	URL         string `json:"url"`
	CA          string `json:"ca,omitempty"` // PEM
	ServerName  string `json:"serverName,omitempty"`
	Web         string `json:"web,omitempty"`         // of its WebSocket, for clients in browsers
	Certificate string `json:"certificate,omitempty"` // PEM
	Key         string `json:"key,omitempty"`         // PEM
	User        string `json:"user,omitempty"`
	Password    string `json:"password,omitempty"`
}

// String hides key and password, and so does LogValue.
func (BrokerLogin) String() string { return "broker login" }

// LogValue implements slog.LogValuer.
func (b BrokerLogin) LogValue() slog.Value { return slog.StringValue(b.String()) }

// String hides the broker login, and so does LogValue.
func (c CameraCard) String() string { return "camera card of " + string(c.Device) }

// LogValue implements slog.LogValuer.
func (c CameraCard) LogValue() slog.Value { return slog.StringValue(c.String()) }

// SealCard signs c by its maker's key, whose key card is c.Key, and seals it for the
// new member's.
func SealCard(c CameraCard, by crypto.Signer, to *ecdh.PublicKey) ([]byte, error) {
	key, _ := by.Public().(*ecdsa.PublicKey)
	id, err := Thumbprint(key)
	if err != nil {
		return nil, err
	}
	if own, err := VerifyKeyCard([]byte(c.Key)); err != nil || own.ClientID() != id {
		return nil, fmt.Errorf("%w: the key card is not of the key that signs", ErrKey)
	}
	recipient, err := EncJWK(to)
	if err != nil {
		return nil, err
	}
	c.Audience = recipient.thumbprint()
	jws, err := Sign(TypeCard, string(id), c, by)
	if err != nil {
		return nil, err
	}
	return seal(jws, to)
}

// OpenCard undoes SealCard. It returns the key of whoever signed, which is trusted
// by nothing yet, and has checked that the card was meant for this very key (else
// one member could pass on what another wrote for it) and that identity, trio and
// device fit each other. Errors: ErrOversized, ErrGarbled, ErrKey, ErrSignature,
// ErrClaims.
func OpenCard(msg []byte, with *ecdh.PrivateKey) (CameraCard, PublicKey, error) {
	jws, err := unseal(msg, with)
	if err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	var shown, c CameraCard
	if err := Peek(jws, TypeCard, &shown); err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	signer, err := VerifyKeyCard([]byte(shown.Key))
	if err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	if err := Verify(jws, TypeCard, string(signer.ClientID()), signer.Sig, &c); err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	if err := c.check(with.PublicKey()); err != nil {
		return CameraCard{}, PublicKey{}, err
	}
	return c, signer, nil
}

func (c CameraCard) check(recipient *ecdh.PublicKey) error {
	if own, err := EncJWK(recipient); err != nil || c.Audience != own.thumbprint() {
		return fmt.Errorf("%w: sealed for a key that it was not signed for", ErrClaims)
	}
	key, err := x509.ParsePKIXPublicKey(c.Identity)
	if err != nil {
		return fmt.Errorf("%w: identity: %w", ErrKey, err)
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
