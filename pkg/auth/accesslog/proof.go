package accesslog

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// maxProof bounds the hashes of one proof: two for each level of the largest tree.
const maxProof = 2 * 53

// Proof is what an answer carries beside its checkpoint. docs/protocol.md 6.7.
type Proof struct {
	// Consistency proves that the log continues the checkpoint of the request
	// (RFC 6962 2.1.2). Hashes are in base64url.
	Consistency []string  `json:"con,omitempty"`
	Entry       *Included `json:"entry,omitempty"` // what the request put into the log
}

// Included is an entry with the proof that it is in the log (RFC 6962 2.1.1).
// docs/protocol.md 6.7.
type Included struct {
	Index uint64   `json:"n"`
	Text  string   `json:"text"`
	Path  []string `json:"path"`
}

// VerifyConsistency proves that the log of now continues that of old, the last
// checkpoint that the client believed. Errors: ErrRollback, ErrFork, ErrProof. Both
// checkpoints come from ParseCheckpoint; whoever has no old one has nothing to prove.
func VerifyConsistency(old, now Checkpoint, p Proof) error {
	switch {
	case old.Size == 0:
		return nil
	case now.Size < old.Size:
		return fmt.Errorf("%w: it has %d, and had %d", ErrRollback, now.Size, old.Size)
	case now.Size == old.Size && now.Hash != old.Hash:
		return fmt.Errorf("%w: two of %d entries", ErrFork, now.Size)
	}
	hashes, err := decodeHashes(p.Consistency)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(hashes, int64(now.Size), now.Hash, int64(old.Size), old.Hash); err != nil {
		return fmt.Errorf("%w: from %d to %d entries: %w", ErrProof, old.Size, now.Size, err)
	}
	return nil
}

// VerifyInclusion proves that an entry is in the log of now, and reads it.
func VerifyInclusion(now Checkpoint, in Included) (Entry, error) {
	if in.Index >= now.Size {
		return Entry{}, fmt.Errorf("%w: entry %d of %d", ErrProof, in.Index, now.Size)
	}
	e, err := Parse([]byte(in.Text))
	if err != nil {
		return Entry{}, err
	}
	path, err := decodeHashes(in.Path)
	if err != nil {
		return Entry{}, err
	}
	leaf := tlog.RecordHash([]byte(in.Text))
	if err := tlog.CheckRecord(path, int64(now.Size), now.Hash, int64(in.Index), leaf); err != nil {
		return Entry{}, fmt.Errorf("%w: entry %d of %d: %w", ErrProof, in.Index, now.Size, err)
	}
	return e, nil
}

// Root computes the root hash of the tree over all entries of a log: those that front
// stands for, and the records behind them.
func Root(front Front, records []Record) ([sha256.Size]byte, error) {
	var peaks []tlog.Hash // of the whole subtrees so far, the largest first
	for _, h := range front.Peaks {
		peaks = append(peaks, h)
	}
	for k, r := range records {
		i := front.Size + uint64(k)
		if r.Index != i {
			return [sha256.Size]byte{}, fmt.Errorf("%w: entry %d follows %d entries", ErrProof, r.Index, i)
		}
		h := tlog.Hash(r.Hash)
		if r.Text != nil { // as long as there is a text, it counts
			h = tlog.RecordHash(r.Text)
		}
		for ; i&1 == 1; i >>= 1 {
			h = tlog.NodeHash(peaks[len(peaks)-1], h)
			peaks = peaks[:len(peaks)-1]
		}
		peaks = append(peaks, h)
	}
	if len(peaks) == 0 {
		return sha256.Sum256(nil), nil
	}
	h := peaks[len(peaks)-1]
	for i := len(peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(peaks[i], h)
	}
	return h, nil
}

// Encode writes a front's hashes as an answer carries them.
func (f Front) Encode() []string {
	var l []tlog.Hash
	for _, h := range f.Peaks {
		l = append(l, h)
	}
	return encodeHashes(l)
}

// ParseFront reads a front: ErrProof says that these hashes can't stand for so many
// entries.
func ParseFront(size uint64, peaks []string) (Front, error) {
	hashes, err := decodeHashes(peaks)
	if err != nil {
		return Front{}, err
	}
	if size > maxSize || len(hashes) != bits.OnesCount64(size) {
		return Front{}, fmt.Errorf("%w: %d hashes stand for %d entries", ErrProof, len(hashes), size)
	}
	f := Front{Size: size}
	for _, h := range hashes {
		f.Peaks = append(f.Peaks, h)
	}
	return f, nil
}

func encodeHashes(hashes []tlog.Hash) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = base64.RawURLEncoding.EncodeToString(h[:])
	}
	return out
}

func decodeHashes(texts []string) ([]tlog.Hash, error) {
	if len(texts) > maxProof {
		return nil, fmt.Errorf("%w: %d hashes", ErrProof, len(texts))
	}
	out := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		h, err := base64.RawURLEncoding.Strict().DecodeString(text)
		// The decoder skips line ends; the length of the text excludes them.
		if err != nil || len(h) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%w: hash %.50q", ErrProof, text)
		}
		out[i] = tlog.Hash(h)
	}
	return out, nil
}
