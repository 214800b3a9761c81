package release

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

const (
	// MaxCheckpoint bounds the bytes of a checkpoint with its signatures.
	MaxCheckpoint = 16 << 10
	// maxSize bounds the size of a tree: what JSON carries exactly. tlog's arithmetic on
	// int64 needs a bound, too.
	maxSize = 1<<53 - 1
)

// Checkpoint is the state of a log: the number of its entries and the root hash of their tree
// (RFC 6962 2.1). Note is its text with all signatures. docs/updates.md 4.3.
type Checkpoint struct {
	Size      int64
	Hash      [sha256.Size]byte
	Note      []byte
	Witnesses []string // names of those pinned witnesses who signed it
}

// Errors of checkpoints.
var (
	ErrCheckpoint   = errors.New("not a checkpoint of the release log")
	ErrFewWitnesses = errors.New("too few witnesses have signed the release log")
)

// Open reads a checkpoint. It must be signed by the log and by as many different witnesses as
// the anchors demand. With ErrFewWitnesses the checkpoint is returned too.
func (a *Anchors) Open(text []byte) (Checkpoint, error) {
	c, err := a.OpenUnwitnessed(text)
	if err == nil && len(c.Witnesses) < a.Need {
		err = fmt.Errorf("%w: %d of %d", ErrFewWitnesses, len(c.Witnesses), a.Need)
	}
	return c, err
}

// OpenUnwitnessed reads a checkpoint that must be signed by the log, and returns which witnesses
// have signed it. It is for makers and witnesses.
func (a *Anchors) OpenUnwitnessed(text []byte) (Checkpoint, error) {
	if len(text) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(text))
	}
	n, err := note.Open(text, note.VerifierList(append([]note.Verifier{a.log}, a.witnesses...)...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(n.Text, a.log.Name())
	if err != nil {
		return Checkpoint{}, err
	}
	c.Note = text
	logged := false
	for _, s := range n.Sigs { // each is verified, and there is one a verifier
		if s.Name == a.log.Name() && s.Hash == a.log.KeyHash() {
			logged = true
		} else {
			c.Witnesses = append(c.Witnesses, s.Name)
		}
	}
	if !logged {
		return Checkpoint{}, fmt.Errorf("%w: the log has not signed it", ErrCheckpoint)
	}
	return c, nil
}

// parseCheckpoint parses the signed text. There is only one form; extension lines are refused,
// because none are defined.
func parseCheckpoint(text, origin string) (Checkpoint, error) {
	var l log.Checkpoint
	rest, err := l.Unmarshal([]byte(text))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if len(rest) != 0 || l.Origin != origin || l.Size > maxSize || len(l.Hash) != sha256.Size || string(l.Marshal()) != text {
		return Checkpoint{}, fmt.Errorf("%w: it is of %q, or written in another way", ErrCheckpoint, l.Origin)
	}
	c := Checkpoint{Size: int64(l.Size), Hash: [sha256.Size]byte(l.Hash)}
	if c.Size == 0 && c.Hash != sha256.Sum256(nil) {
		return Checkpoint{}, fmt.Errorf("%w: an empty tree has another root", ErrCheckpoint)
	}
	return c, nil
}

// Body returns the signed text of a checkpoint.
func (c Checkpoint) Body(origin string) string {
	return string(log.Checkpoint{Origin: origin, Size: uint64(c.Size), Hash: c.Hash[:]}.Marshal())
}

// MergeSignatures adds the signature lines of another checkpoint with the same text. It verifies
// nothing.
func MergeSignatures(into, from []byte) []byte {
	body, have, ok := strings.Cut(string(into), "\n\n")
	other, more, ok2 := strings.Cut(string(from), "\n\n")
	if !ok || !ok2 || body != other {
		return into
	}
	for line := range strings.Lines(more) {
		if strings.HasSuffix(line, "\n") && !strings.Contains("\n"+have, "\n"+line) {
			have += line
		}
	}
	return []byte(body + "\n\n" + have)
}
