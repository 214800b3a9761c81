package release

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// tileHeight is that of C2SP tlog-tiles: 256 hashes a tile.
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// MaxTile bounds the bytes of a tile.
	MaxTile = tileWidth * sha256.Size
	// MaxBundle bounds the bytes of a bundle of entries.
	MaxBundle = tileWidth * (2 + maxLeaf)
	// CheckpointFile is the name of the checkpoint in the log's folder.
	CheckpointFile = "checkpoint"
)

// ErrTiles is the error for files of a log that do not fit its checkpoint. They prove nothing
// about the log.
var ErrTiles = errors.New("the release log's files don't fit its checkpoint")

// ErrNotLogged is the error for a release that the log does not hold where it should.
var ErrNotLogged = errors.New("the release is not in the release log")

// ReadFile reads a file of a log's folder by its path, at most limit bytes of it.
type ReadFile func(path string, limit int64) ([]byte, error)

// Tree is a log as its checkpoint signs it, with its files.
type Tree struct {
	Checkpoint
	hashes tlog.HashReader
	read   ReadFile
}

// NewTree returns the log of an opened checkpoint and its files. Everything that is read from
// the files is proved against the checkpoint.
func NewTree(c Checkpoint, read ReadFile) *Tree {
	t := &Tree{Checkpoint: c, read: read}
	t.hashes = tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Hash}, tiles{read})
	return t
}

// Includes proves that the entry at index is this leaf (RFC 6962 2.1.1).
func (t *Tree) Includes(index int64, l Leaf) error {
	if index < 0 || index >= t.Size {
		return fmt.Errorf("%w: it is to be entry %d of %d", ErrNotLogged, index, t.Size)
	}
	h, err := t.hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTiles, err)
	}
	if h[0] != l.Hash() {
		return fmt.Errorf("%w: entry %d is another one", ErrNotLogged, index)
	}
	return nil
}

// Continues proves that the tree continues that of old (RFC 6962 2.1.2). ErrFork means that it
// does not though both are signed, ErrLogBack that it is the shorter one.
func (t *Tree) Continues(old Checkpoint) error {
	switch {
	case old.Size == 0:
		return nil
	case old.Size > t.Size:
		return fmt.Errorf("%w: it has %d entries, and had %d", ErrLogBack, t.Size, old.Size)
	case old.Size == t.Size && old.Hash != t.Hash:
		return fmt.Errorf("%w: two trees of %d entries", ErrFork, t.Size)
	case old.Size == t.Size:
		return nil
	}
	h, err := tlog.TreeHash(old.Size, t.hashes) // out of tiles that are proved to be those of t
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTiles, err)
	}
	if h != old.Hash {
		return fmt.Errorf("%w: the first %d entries of %d are not those that it had", ErrFork, old.Size, t.Size)
	}
	return nil
}

// Leaves reads the entries from index from on, in order, each proved.
func (t *Tree) Leaves(from int64, visit func(index int64, l Leaf) error) error {
	for n := from / tileWidth; n*tileWidth < t.Size; n++ {
		width := min(tileWidth, t.Size-n*tileWidth)
		data, err := t.read(EntriesPath(n, width), MaxBundle)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTiles, err)
		}
		texts, err := parseBundle(data)
		if err != nil || int64(len(texts)) != width {
			return fmt.Errorf("%w: bundle %d has %d entries of %d", ErrTiles, n, len(texts), width)
		}
		if err := t.leavesOf(n*tileWidth, texts, from, visit); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) leavesOf(first int64, texts [][]byte, from int64, visit func(int64, Leaf) error) error {
	indexes := make([]int64, len(texts))
	for i := range texts {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	hashes, err := t.hashes.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTiles, err)
	}
	for i, text := range texts {
		index := first + int64(i)
		if index < from {
			continue
		}
		if tlog.RecordHash(text) != hashes[i] {
			return fmt.Errorf("%w: entry %d is another one than the tree has", ErrTiles, index)
		}
		l, err := ParseLeaf(text)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if err := visit(index, l); err != nil {
			return err
		}
	}
	return nil
}

// tiles reads the files of a log for package tlog.
type tiles struct{ read ReadFile }

// Height is tlog-tiles' own.
func (tiles) Height() int { return tileHeight }

// SaveTiles keeps nothing: a device reads few, and seldom.
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads them one after the other.
func (r tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range want {
		data, err := r.read(tilePath(t), MaxTile)
		if err != nil {
			return nil, err
		}
		all = append(all, data) // tlog looks at the length
	}
	return all, nil
}

// tilePath returns that of C2SP tlog-tiles: tlog's own without the height.
func tilePath(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// EntriesPath returns the path of the n-th bundle of entries, of which the tree has width.
func EntriesPath(n, width int64) string {
	p := tilePath(tlog.Tile{H: tileHeight, L: -1, N: n, W: int(width)})
	return strings.Replace(p, "tile/data/", "tile/entries/", 1)
}

// parseBundle reads a bundle of entries: each behind its length, in two bytes.
func parseBundle(data []byte) ([][]byte, error) {
	var l [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			return l, ErrTiles
		}
		n := int(binary.BigEndian.Uint16(data))
		if data = data[2:]; n > len(data) || len(l) == tileWidth {
			return l, ErrTiles
		}
		l, data = append(l, data[:n:n]), data[n:]
	}
	return l, nil
}
