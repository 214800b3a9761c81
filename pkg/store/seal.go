package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

const sealKeyLen = 32 // AES-256

// Sealer seals values with AES-256-GCM (NIST SP 800-38D) under a random 96-bit
// nonce. The additional data are bucket and key, each after its length, so that a sealed
// value can be opened only at its own place. docs/protocol.md 11.3.
type Sealer struct{ aead cipher.AEAD }

// String hides the key.
func (*Sealer) String() string { return "sealer" }

// LogValue hides the key.
func (*Sealer) LogValue() slog.Value { return slog.StringValue("sealer") }

// ReadSealer reads the sealing key's file. Errors are those of ReadFile; a key of
// another length is damaged.
func ReadSealer(path string) (*Sealer, error) {
	key, err := ReadFile(path)
	if err == nil && len(key) != sealKeyLen {
		err = fmt.Errorf("%w: %s holds %d bytes, not %d", ErrDamaged, path, len(key), sealKeyLen)
	}
	if err != nil {
		return nil, fmt.Errorf("load the sealing key: %w", err)
	}
	return NewSealer(key)
}

// LoadSealer is ReadSealer, but makes a key if there is none or a damaged one. Values that
// were sealed with a damaged one can't be opened any more, which counts as damage. The file is
// never written again, so that a reset overwrites the blocks that hold the key.
func LoadSealer(path string) (*Sealer, error) {
	s, err := ReadSealer(path)
	switch {
	case errors.Is(err, ErrDamaged):
		if _, err := SetAside(path); err != nil {
			return nil, err
		}
	case !errors.Is(err, ErrMissing):
		return s, err
	}
	key := make([]byte, sealKeyLen)
	_, _ = rand.Read(key) // never fails since Go 1.24
	if err := WriteFile(path, key); err != nil {
		return nil, fmt.Errorf("make the sealing key: %w", err)
	}
	return NewSealer(key)
}

// NewSealer returns a sealer with a key of 32 bytes.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != sealKeyLen {
		return nil, fmt.Errorf("make a sealer: a key of %d bytes, not %d", len(key), sealKeyLen)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a sealer: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make a sealer: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal returns the nonce and the sealed value for one place.
func (s *Sealer) Seal(bucket, key string, value []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(value)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	return s.aead.Seal(nonce, nonce, value, place(bucket, key))
}

// Open returns the value that Seal sealed for the same place, or ErrSealed.
func (s *Sealer) Open(bucket, key string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, ErrSealed
	}
	v, err := s.aead.Open(nil, sealed[:n], sealed[n:], place(bucket, key))
	if err != nil {
		return nil, ErrSealed
	}
	return v, nil
}

func place(bucket, key string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(bucket))) //nolint:gosec // a constant's length
	b = append(b, bucket...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(key))) //nolint:gosec // bbolt keys are at most 32 KiB
	return append(b, key...)
}
