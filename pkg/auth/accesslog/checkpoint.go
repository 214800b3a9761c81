package accesslog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/camd-project/camd/pkg/proto"
)

const (
	// maxCheckpoint bounds the bytes of a signed checkpoint.
	maxCheckpoint = 1 << 10
	// maxSize bounds the size of a tree: what JSON carries exactly. tlog's
	// arithmetic on int64 needs a bound, too.
	maxSize = 1<<53 - 1
)

// Checkpoint says what the log holds: the number of its entries and the root hash
// of the tree over them (RFC 6962 2.1). Note is its signed text. The zero value is
// what one has who has seen none. docs/protocol.md 6.6.
type Checkpoint struct {
	Size uint64
	Hash [sha256.Size]byte
	Note string
}

// Origin names the log of one epoch of one device, in its checkpoints.
func Origin(device proto.DeviceID, epoch uint64) string {
	return "camd/" + string(device) + "/" + strconv.FormatUint(epoch, 10)
}

// body is what is signed.
func (c Checkpoint) body(origin string) string {
	return origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Hash[:]) + "\n"
}

// ParseCheckpoint reads a signed checkpoint of the log that origin names, signed by
// key. There is one way to write it; anything else is ErrCheckpoint.
func ParseCheckpoint(text, origin string, key ed25519.PublicKey) (Checkpoint, error) {
	if len(text) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(text))
	}
	v, err := verifier(origin, key)
	if err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseBody(n.Text, origin)
	if err != nil {
		return Checkpoint{}, err
	}
	// The library takes more signatures, repeated ones, and base64 with spare bits.
	s := n.Sigs[0]
	if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil || text != n.Text+"\n— "+origin+" "+s.Base64+"\n" {
		return Checkpoint{}, fmt.Errorf("%w: its signature is written in another way", ErrCheckpoint)
	}
	c.Note = text
	return c, nil
}

func parseBody(body, origin string) (Checkpoint, error) {
	var c Checkpoint
	lines := strings.Split(body, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return c, fmt.Errorf("%w: it is of %q", ErrCheckpoint, lines[0])
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || size > maxSize {
		return c, fmt.Errorf("%w: size %q", ErrCheckpoint, lines[1])
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(hash) != sha256.Size {
		return c, fmt.Errorf("%w: hash %q", ErrCheckpoint, lines[2])
	}
	c = Checkpoint{Size: size, Hash: [sha256.Size]byte(hash)}
	if c.body(origin) != body || size == 0 && c.Hash != sha256.Sum256(nil) {
		return Checkpoint{}, fmt.Errorf("%w: it is written in another way", ErrCheckpoint)
	}
	return c, nil
}

// sign makes c a signed checkpoint.
func (c *Checkpoint) sign(origin string, s note.Signer) error {
	text, err := note.Sign(&note.Note{Text: c.body(origin)}, s)
	if err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	c.Note = string(text)
	return nil
}

func verifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return nil, fmt.Errorf("checkpoint key: %w", err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("checkpoint key: %w", err)
	}
	return v, nil
}

// signer is the device's note.Signer. The library's own takes keys only as text.
type signer struct {
	note.Verifier // name and key hash
	key           ed25519.PrivateKey
}

func (s signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }
