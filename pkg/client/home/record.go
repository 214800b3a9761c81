package home

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// recordVersion is the format of a camera's file.
const recordVersion = 1

// Record is what a client knows of one camera. The identity key that the label names
// has signed the household's keys, so a changed file is noticed.
type Record struct {
	Version  int            `json:"version"`
	Device   proto.DeviceID `json:"device"`
	Name     string         `json:"name,omitempty"`   // what its people call the camera
	Member   string         `json:"member,omitempty"` // this client's name in the household
	Role     proto.Role     `json:"role,omitempty"`
	Identity []byte         `json:"identity"` // the identity key as SPKI, DER; checked against the label once
	Trio     string         `json:"trio"`     // the household's keys, signed by the identity key; docs/protocol.md 2.4
	Epoch    uint64         `json:"epoch"`
	Paired   int64          `json:"paired"` // Unix seconds
	Broker   Broker         `json:"broker"`
}

// NewRecord returns what to keep of a camera that has just paired, and whose broker is
// reached by login. known is the record of an earlier pairing, or nil: the name that
// the camera has there stays.
func NewRecord(p pairing.Paired, device proto.DeviceID, login Broker, known *Record) (Record, error) {
	identity, err := x509.MarshalPKIXPublicKey(p.Identity)
	if err != nil {
		return Record{}, fmt.Errorf("write identity key: %w", err)
	}
	login.Said = p.Receipt.Broker.URL
	r := Record{Version: recordVersion, Device: device, Member: p.Receipt.Name, Role: p.Receipt.Role,
		Identity: identity, Trio: string(p.TrioJWS), Epoch: p.Trio.Epoch, Paired: time.Now().Unix(), Broker: login}
	if known.IsOf(p.Identity) {
		r.Name = known.Name
	}
	_, err = r.Verify()
	return r, err
}

// IsOf reports whether r is the record of the camera with that identity key; nil is
// the record of none.
func (r *Record) IsOf(identity *ecdsa.PublicKey) bool {
	if r == nil {
		return false
	}
	own, err := r.IdentityKey()
	return err == nil && own.Equal(identity)
}

// LogValue keeps the login out of logs.
func (r Record) LogValue() slog.Value { return slog.StringValue(string(r.Device)) }

// Title returns the camera's name for people.
func (r Record) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return string(r.Device)
}

var errRecord = errors.New("contradicts itself")

// Verify checks the record against itself and returns the household's keys.
func (r Record) Verify() (envelope.Trio, error) {
	if !r.Device.Valid() {
		return envelope.Trio{}, fmt.Errorf("%w: device", errRecord)
	}
	identity, err := r.IdentityKey()
	if err != nil {
		return envelope.Trio{}, err
	}
	keys, err := envelope.VerifyTrio([]byte(r.Trio), identity)
	if err != nil {
		return envelope.Trio{}, fmt.Errorf("verify the household's keys: %w", err)
	}
	if keys.Device != r.Device || keys.Epoch != r.Epoch {
		return envelope.Trio{}, fmt.Errorf("%w: the household's keys are of another device or epoch", errRecord)
	}
	if r.Role.Preset() == nil {
		return envelope.Trio{}, fmt.Errorf("%w: role %.20q", errRecord, r.Role)
	}
	for _, name := range []string{r.Name, r.Member} {
		if name != "" && naming.Check(name) != nil {
			return envelope.Trio{}, NewProblem(errRecord, "The name %.50q can't be used: it is too long, mixes scripts, or contains invisible characters.", name)
		}
	}
	return keys, r.Broker.Check()
}

// IdentityKey returns the camera's identity key.
func (r Record) IdentityKey() (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(r.Identity)
	if err != nil {
		return nil, fmt.Errorf("parse identity: %w", err)
	}
	identity, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: identity is no ECDSA key", errRecord)
	}
	return identity, nil
}
