package release

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxReleases is how many releases of a kind are read of a rollout.
const MaxReleases = 32

// Rollout is the part of the devices of a kind that each release is offered to. It can only
// withhold: a release that it does not name is offered to nobody, and one that it names must
// have been released. docs/updates.md 3.3.
type Rollout struct {
	Releases []Share `json:"releases"`
}

// Share is the part of the devices that a release is offered to. docs/updates.md 3.3.
type Share struct {
	Version string `json:"version"`
	Percent int    `json:"percent"`
	Halted  bool   `json:"halted"`
}

// ErrRollout is the error for a rollout that can't be used.
var ErrRollout = errors.New("the rollout is written in a way that can't be used")

// ParseRollout reads a rollout.
func ParseRollout(data []byte) (Rollout, error) {
	r, err := parseCustom[Rollout](data, ErrRollout)
	if err != nil {
		return Rollout{}, err
	}
	if len(r.Releases) > MaxReleases {
		return Rollout{}, fmt.Errorf("%w: %d releases", ErrRollout, len(r.Releases))
	}
	seen := map[string]bool{}
	for _, s := range r.Releases {
		if !ValidVersion(s.Version) || s.Percent < 0 || s.Percent > 100 || seen[s.Version] {
			return Rollout{}, fmt.Errorf("%w: version %q, %d percent", ErrRollout, s.Version, s.Percent)
		}
		seen[s.Version] = true
	}
	return r, nil
}

// Takes reports whether a release is offered to the device with this name.
func (r Rollout) Takes(version, device string) bool {
	for _, s := range r.Releases {
		if s.Version == version {
			return !s.Halted && place(version, device) < uint64(s.Percent)*100
		}
	}
	return false
}

// place returns the device's place among all devices, 0 to 9999. It differs for each version,
// so that no device is always among the first.
func place(version, device string) uint64 {
	sum := sha256.Sum256([]byte(device + "\n" + version))
	return binary.BigEndian.Uint64(sum[:8]) % 10000
}
