package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/camd-project/camd/pkg/proto"
)

// pendingVersion is the format of the pending revocations' file.
const pendingVersion = 1

// maxPending bounds the revocations that wait for their answers.
const maxPending = proto.MaxMembers

// PendingRevoke is a revocation that the camera has not answered: whether the member
// is removed is not known yet. It is sent again before anything else is sent to that
// camera, with the same jti, so that it is carried out once. docs/protocol.md 4.6.
type PendingRevoke struct {
	ID         string          `json:"jti"`
	Epoch      uint64          `json:"ep"`
	Body       json.RawMessage `json:"body"`         // proto.Revoke as it was sent first
	Checkpoint string          `json:"cp,omitempty"` // as it was sent first
	Name       string          `json:"name,omitempty"`
	Since      int64           `json:"since"` // Unix seconds by this computer's clock
}

// Who returns the member's name, or its key's where that is not known.
func (p PendingRevoke) Who() string {
	var body proto.Revoke
	if p.Name != "" || json.Unmarshal(p.Body, &body) != nil {
		return p.Name
	}
	return string(body.Client)
}

// Asked returns the time at which the removal was asked for, for people.
func (p PendingRevoke) Asked() string { return dateTime(p.Since) }

type pendingFile struct {
	Version int             `json:"version"`
	Revokes []PendingRevoke `json:"revokes"`
}

// PendingRevokes returns the revocations without an answer, the oldest first. Those of
// an earlier epoch do not count: it has no members any more.
func (s *Household) PendingRevokes() ([]PendingRevoke, error) {
	data, err := s.read(filePending)
	if err != nil || data == nil {
		return nil, err
	}
	all, err := parsePending(s.path(filePending), data)
	return slices.DeleteFunc(all, func(p PendingRevoke) bool { return p.Epoch != s.record.Epoch }), err
}

func parsePending(path string, data []byte) ([]PendingRevoke, error) {
	var f pendingFile
	if err := parseVersioned(path, data, pendingVersion, &f); err != nil {
		return nil, err
	}
	for _, p := range f.Revokes {
		var body proto.Revoke
		if p.ID == "" || json.Unmarshal(p.Body, &body) != nil || !body.Client.Valid() {
			return nil, broken(path, errors.New("an entry is no revocation"))
		}
	}
	return f.Revokes, nil
}

// AddPending keeps a revocation until RemovePending is called with its ID.
func (s *Household) AddPending(p PendingRevoke) error {
	return s.locked(func() error {
		all, err := s.PendingRevokes()
		if err != nil {
			return err
		}
		if len(all) >= maxPending {
			return fmt.Errorf("%d revocations wait for an answer already", len(all))
		}
		return s.writeJSON(filePending, pendingFile{pendingVersion, append(all, p)})
	})
}

// RemovePending forgets a revocation.
func (s *Household) RemovePending(id string) error {
	return s.locked(func() error {
		all, err := s.PendingRevokes()
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(p PendingRevoke) bool { return p.ID == id })
		if len(all) == 0 {
			return s.remove(filePending)
		}
		return s.writeJSON(filePending, pendingFile{pendingVersion, all})
	})
}
