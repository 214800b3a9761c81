package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Offer is a release that this device may install. Everything about it is verified except the
// bundle itself.
type Offer struct {
	Version    string
	Compatible string
	Manifest   string // SHA-256 of the RAUC manifest in hex
	Minimum    string // the oldest version that may update to it directly
	Lowest     string // the lowest version that may be installed after it is confirmed
	Notes      string // words for people, written by the maker
	Security   bool   // it fixes a vulnerability
	Size       int64  // of the bundle, in bytes
	SHA256     []byte // of the bundle
	URL        string // of the bundle
	Targets    int64  // version of the TUF targets in which it first appeared
	Index      int64  // of its leaf in the release log
}

// Leaf returns what the release log holds of it.
func (o Offer) Leaf() Leaf {
	return Leaf{Compatible: o.Compatible, Manifest: o.Manifest, Targets: o.Targets, Version: o.Version}
}

// Bounds of descriptions and rollouts.
const (
	maxCustom = 8 << 10
	maxNotes  = 2 << 10
	// MaxCompatible bounds the bytes of the name of a kind of device.
	MaxCompatible = 64
)

// Custom is the custom data of a release's TUF target. docs/updates.md 3.2.
type Custom struct {
	Version    string `json:"version"`
	Compatible string `json:"compatible"`
	Manifest   string `json:"manifest"`
	Minimum    string `json:"minimum"`
	Lowest     string `json:"lowest"`
	Notes      string `json:"notes"`
	Security   bool   `json:"security"`
	Targets    int64  `json:"targets"`
	Log        int64  `json:"log"`
}

// ErrRelease is the error for a release whose description can't be used.
var ErrRelease = errors.New("the release describes itself in a way that can't be used")

// ParseCustom parses a release's description. It ignores unknown members, so that later ones
// harm no existing device.
func ParseCustom(data []byte) (Custom, error) {
	c, err := parseCustom[Custom](data, ErrRelease)
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return Custom{}, err
	}
	return c, nil
}

// parseCustom parses the custom data of a TUF target, of a release or a rollout; wrong is the
// error for unusable data.
func parseCustom[T any](data []byte, wrong error) (v T, err error) {
	if len(data) > maxCustom {
		return v, fmt.Errorf("%w: %d bytes", wrong, len(data))
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%w: %w", wrong, err)
	}
	return v, nil
}

func (c Custom) check() error {
	switch {
	case !c.Leaf().valid():
		return fmt.Errorf("%w: version, compatible, manifest or targets", ErrRelease)
	case !ValidVersion(c.Minimum) || !ValidVersion(c.Lowest):
		return fmt.Errorf("%w: minimum or lowest", ErrRelease)
	case Compare(c.Minimum, c.Version) > 0 || Compare(c.Lowest, c.Version) > 0:
		return fmt.Errorf("%w: it demands a newer version than its own", ErrRelease)
	case len(c.Notes) > maxNotes:
		return fmt.Errorf("%w: %d bytes of notes", ErrRelease, len(c.Notes))
	case c.Log < 0 || c.Log >= maxSize:
		return fmt.Errorf("%w: its place in the log", ErrRelease)
	}
	return nil
}

// Marshal returns the description as JSON, or why it is invalid.
func (c Custom) Marshal() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is read by people, too
	if err := e.Encode(c); err != nil {
		return nil, fmt.Errorf("write the release's description: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Leaf returns what the release log holds of it.
func (c Custom) Leaf() Leaf {
	return Leaf{Compatible: c.Compatible, Manifest: c.Manifest, Targets: c.Targets, Version: c.Version}
}

var compatible = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// ValidCompatible reports whether s can name a kind of device.
func ValidCompatible(s string) bool {
	return len(s) <= MaxCompatible && compatible.MatchString(s) && !strings.Contains(s, "..")
}

// BundleName returns the name of a release's bundle among the TUF targets.
func BundleName(compatible, version string) string { return compatible + "-" + version + ".raucb" }
