package link

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

const (
	clientIDInfo = "camd/mqtt/client-id/1"
	clientIDSize = 16
)

// clientID returns the device's MQTT client identifier, a secret that is derived from its
// identity key. Brokers identify sessions by it alone, on all listeners, so anyone who knew
// it could end the device's session with any certificate that the broker accepts.
// docs/protocol.md 1.7.
func clientID(key crypto.Signer, device string) (string, error) {
	secret, err := secretOf(key)
	if err != nil {
		return "", err
	}
	id, err := hkdf.Key(sha256.New, secret, []byte(device), clientIDInfo, clientIDSize)
	if err != nil {
		return "", fmt.Errorf("derive the client identifier: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(id), nil
}

// hidden is a key that can't be read, such as a TPM's, and that has a secret beside it.
type hidden interface{ Secret() []byte }

func secretOf(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case hidden:
		return k.Secret(), nil
	case *ecdsa.PrivateKey:
		b, err := k.Bytes()
		if err != nil {
			return nil, fmt.Errorf("read the identity key: %w", err)
		}
		return b, nil
	}
	return nil, errors.New("the device's identity key can't be read, and its name at the broker is derived from it")
}
