package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Witness signs a log's checkpoint after it has checked that it continues the last one that it
// signed. It needs the log's key, its own key and its state; nothing of the maker's.
type Witness struct {
	LogKey string // path of the log's verifier key
	Key    string // path of the witness's own key
	State  string // path of the last checkpoint it signed
	Ask    Passphrase
}

// Remembers reports whether it knows what it signed last. Otherwise it can't check that a log
// continues that.
func (w Witness) Remembers() bool {
	_, err := os.Stat(w.State)
	return err == nil
}

// Sign reads the waiting checkpoint in a published folder, or the newest one, and returns it with
// the witness's signature. If the folder is on this machine, it also writes it there.
func (w Witness) Sign(ctx context.Context, from string) ([]byte, release.Checkpoint, error) {
	a, err := w.anchors()
	if err != nil {
		return nil, release.Checkpoint{}, err
	}
	read := reader(ctx, from)
	text, err := read("log/"+pendingFile, release.MaxCheckpoint)
	if err != nil {
		if text, err = read("log/"+release.CheckpointFile, release.MaxCheckpoint); err != nil {
			return nil, release.Checkpoint{}, fmt.Errorf("%s holds no release log: %w", from, err)
		}
	}
	cp, err := a.OpenUnwitnessed(text)
	if err != nil {
		return nil, cp, err
	}
	tree := release.NewTree(cp, func(path string, limit int64) ([]byte, error) { return read("log/"+path, limit) })
	if err := w.check(a, tree); err != nil {
		return nil, cp, err
	}
	signed, err := w.cosign(text)
	if err != nil {
		return nil, cp, err
	}
	// Stored before it is returned: a witness must never forget what it signed.
	if err := store.WriteFile(w.State, signed); err != nil {
		return nil, cp, err
	}
	if isFolder(from) {
		err = writePublic(from, "log/"+pendingFile, signed)
	}
	return signed, cp, err
}

func (w Witness) anchors() (*release.Anchors, error) {
	key, err := os.ReadFile(w.LogKey)
	if err != nil {
		return nil, fmt.Errorf("read the log's key: %w", err)
	}
	return release.ParseAnchors(key, []byte("n=0\n"))
}

// check compares the log with what was signed before. Every entry must be a release that can be
// read, or it could not be monitored.
func (w Witness) check(a *release.Anchors, tree *release.Tree) error {
	text, err := os.ReadFile(w.State)
	var old release.Checkpoint
	switch {
	case err == nil:
		if old, err = a.OpenUnwitnessed(text); err != nil {
			return fmt.Errorf("%s is not what this witness signed last: %w", w.State, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read what was signed last: %w", err)
	}
	if err := tree.Continues(old); err != nil {
		return err
	}
	return tree.Leaves(old.Size, func(int64, release.Leaf) error { return nil })
}

func (w Witness) cosign(text []byte) ([]byte, error) {
	k, err := readKey(w.Key, w.Ask)
	if err != nil {
		return nil, err
	}
	skey, _, err := k.noteKeys(k.name)
	if err != nil {
		return nil, err
	}
	s, err := formats.NewSignerForCosignatureV1(skey)
	if err != nil {
		return nil, fmt.Errorf("sign the release log: %w", err)
	}
	body, _, _ := strings.Cut(string(text), "\n\n")
	signed, err := note.Sign(&note.Note{Text: body + "\n"}, s)
	if err != nil {
		return nil, fmt.Errorf("sign the release log: %w", err)
	}
	return release.MergeSignatures(text, signed), nil
}

func isFolder(from string) bool { return !strings.Contains(from, "://") }

// reader reads files of a published folder, here or at a web server.
func reader(ctx context.Context, from string) release.ReadFile {
	if isFolder(from) {
		return func(path string, limit int64) ([]byte, error) {
			f, err := os.Open(filepath.Join(from, filepath.FromSlash(path)))
			if err != nil {
				return nil, err
			}
			defer func() { _ = f.Close() }() // only read
			return bounded(f, limit)
		}
	}
	client := &http.Client{Timeout: time.Minute}
	return func(path string, limit int64) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(from, "/")+"/"+path, nil)
		if err != nil {
			return nil, fmt.Errorf("%s is no address: %w", from, err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		defer func() { _ = resp.Body.Close() }() // only read
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("read %s: the server answers %d", path, resp.StatusCode)
		}
		return bounded(resp.Body, limit)
	}
}

func bounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errors.New("it is larger than it may be")
	}
	return data, err
}
