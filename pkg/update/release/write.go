package release

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Files returns the files, by path, that a log of size old lacks to have these leaves, and the
// root of its tree. It is for makers.
func Files(leaves []Leaf, old int64) (files map[string][]byte, root [32]byte, err error) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for i, l := range leaves {
		more, err := tlog.StoredHashes(int64(i), l.Text(), reader)
		if err != nil {
			return nil, root, fmt.Errorf("reckon the log's tree: %w", err)
		}
		hashes = append(hashes, more...)
	}
	size := int64(len(leaves))
	if root, err = tlog.TreeHash(size, reader); err != nil {
		return nil, root, fmt.Errorf("reckon the log's tree: %w", err)
	}
	files = map[string][]byte{}
	for _, t := range tlog.NewTiles(tileHeight, old, size) {
		data, err := tlog.ReadTileData(t, reader)
		if err != nil {
			return nil, root, fmt.Errorf("reckon the log's tiles: %w", err)
		}
		files[tilePath(t)] = data
		if t.L == 0 {
			files[EntriesPath(t.N, int64(t.W))] = bundle(leaves[t.N<<tileHeight:][:t.W])
		}
	}
	return files, root, nil
}

func bundle(leaves []Leaf) (data []byte) {
	for _, l := range leaves {
		text := l.Text()
		data = binary.BigEndian.AppendUint16(data, uint16(len(text)))
		data = append(data, text...)
	}
	return data
}
