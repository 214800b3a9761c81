package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Leaf is the entry of a release in the release log. docs/updates.md 4.1.
type Leaf struct {
	Compatible string `json:"compatible"`
	Manifest   string `json:"manifest"`
	Targets    int64  `json:"targets"`
	Version    string `json:"version"`
}

// maxLeaf bounds the bytes of a leaf's text.
const maxLeaf = 512

// ErrLeaf is the error for a text that is not a leaf.
var ErrLeaf = errors.New("not an entry of a release log")

func (l Leaf) valid() bool {
	raw, err := hex.DecodeString(l.Manifest)
	return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == l.Manifest &&
		ValidCompatible(l.Compatible) && ValidVersion(l.Version) && l.Targets >= 1 && l.Targets < maxSize
}

// Text returns the leaf as it is in the log: JSON without spaces, with the members in the order
// of their names. No valid value has a character that must be escaped.
func (l Leaf) Text() []byte {
	text, err := json.Marshal(l)
	if err != nil || !l.valid() {
		panic("release: a leaf that was never checked") // callers make leaves of what was parsed
	}
	return text
}

// Hash returns the hash of the leaf in the log's tree (RFC 6962 2.1): SHA-256 of a zero byte
// and its text.
func (l Leaf) Hash() [sha256.Size]byte {
	return sha256.Sum256(append([]byte{0}, l.Text()...))
}

// ParseLeaf parses a leaf. There is only one form; anything else is ErrLeaf.
func ParseLeaf(text []byte) (Leaf, error) {
	var l Leaf
	if len(text) > maxLeaf {
		return l, fmt.Errorf("%w: %d bytes", ErrLeaf, len(text))
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaf, err)
	}
	if !l.valid() || !bytes.Equal(l.Text(), text) {
		return Leaf{}, fmt.Errorf("%w: it is written in another way", ErrLeaf)
	}
	return l, nil
}
