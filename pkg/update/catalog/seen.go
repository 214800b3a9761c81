package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Files about the release log in the state folder.
const (
	seenFile   = "checkpoint" // the last one that was verified
	forkFile   = "fork"       // two that one log can't have, and the proof
	forkHeader = "=== "       // no line of a signed note begins so
)

// readLog reads the checkpoint, proves that it continues the last one, and stores it.
func (c *Catalog) readLog(f *fetcher, a *release.Anchors) (*release.Tree, error) {
	text, err := f.log(release.CheckpointFile, release.MaxCheckpoint)
	if err != nil {
		return nil, err
	}
	now, err := a.Open(text)
	if err != nil {
		return nil, err
	}
	read := map[string][]byte{}
	tree := release.NewTree(now, func(path string, limit int64) ([]byte, error) {
		data, err := f.log(path, limit)
		if err == nil {
			read[path] = data
		}
		return data, err
	})
	seen, ok := c.seen(a)
	if ok {
		if err := tree.Continues(seen); errors.Is(err, release.ErrFork) {
			return nil, errors.Join(err, c.keepFork(seen, now, read))
		} else if err != nil {
			return nil, err
		}
	}
	if ok && seen.Size == now.Size {
		return tree, nil // with perhaps other witnesses, which is no news
	}
	if err := store.WriteFile(filepath.Join(c.cfg.State, seenFile), now.Note); err != nil {
		return nil, fmt.Errorf("%w: %w", errKeep, err)
	}
	return tree, nil
}

// seen returns the last verified checkpoint. One that can't be read, or that another log's key
// has signed, counts as none: its witnesses may have changed.
func (c *Catalog) seen(a *release.Anchors) (release.Checkpoint, bool) {
	text, err := os.ReadFile(filepath.Join(c.cfg.State, seenFile))
	if err != nil {
		return release.Checkpoint{}, false
	}
	cp, err := a.OpenUnwitnessed(text)
	return cp, err == nil
}

// keepFork stores both checkpoints, and the tiles by which the later one was compared: they
// prove that the log's key has signed two histories.
func (c *Catalog) keepFork(seen, now release.Checkpoint, tiles map[string][]byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s\n%s%s%s\n%s", forkHeader, "seen before", seen.Note, forkHeader, "seen now", now.Note)
	for path, data := range maps.All(tiles) {
		fmt.Fprintf(&b, "%s%s\n%x\n", forkHeader, path, data)
	}
	if err := store.WriteFile(filepath.Join(c.cfg.State, forkFile), b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errKeep, err)
	}
	return nil
}

// forked reports whether a fork of this log was found before. Another log's key, of a
// later image, ends it.
func (c *Catalog) forked(a *release.Anchors) error {
	text, err := os.ReadFile(filepath.Join(c.cfg.State, forkFile))
	if err != nil {
		return nil
	}
	for part := range strings.SplitSeq(string(text), forkHeader) {
		_, note, _ := strings.Cut(part, "\n")
		if _, err := a.OpenUnwitnessed([]byte(note)); err == nil {
			return release.ErrFork
		}
	}
	return nil
}
