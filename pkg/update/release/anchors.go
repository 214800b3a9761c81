package release

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Names of the files in the folder of anchors. docs/updates.md 2.
const (
	RootFile      = "root.json"
	LogFile       = "log.pub"
	WitnessesFile = "witnesses"
)

const (
	maxAnchor    = 512 << 10
	maxWitnesses = 32
)

// Anchors are what an image trusts before it reads anything from the network.
type Anchors struct {
	Root []byte // TUF root metadata
	Need int    // how many witnesses must have signed a checkpoint

	log       note.Verifier
	witnesses []note.Verifier
}

// ErrAnchors is the error for a folder of anchors that can't be used.
var ErrAnchors = errors.New("the image's anchors for updates can't be used")

// ReadAnchors reads a folder of anchors.
func ReadAnchors(dir string) (*Anchors, error) {
	var texts [3][]byte
	for i, name := range []string{RootFile, LogFile, WitnessesFile} {
		var err error
		if texts[i], err = readBounded(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnchors, err)
		}
	}
	a, err := ParseAnchors(texts[1], texts[2])
	if err != nil {
		return nil, err
	}
	a.Root = texts[0]
	return a, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxAnchor+1))
	if err == nil && len(text) > maxAnchor {
		err = fmt.Errorf("%s is too large", path)
	}
	return text, err
}

// ParseAnchors reads the log's key and the list of witnesses: a line n=COUNT, and a line
// with a key for each. Empty lines and those that begin with # are skipped.
func ParseAnchors(logKey, witnesses []byte) (*Anchors, error) {
	v, err := note.NewVerifier(strings.TrimSpace(string(logKey)))
	if err != nil {
		return nil, fmt.Errorf("%w: the log's key: %w", ErrAnchors, err)
	}
	a := &Anchors{log: v, Need: -1}
	keys := map[string]bool{keyOf(string(logKey)): true} // the log is no witness of itself
	for line := range strings.Lines(string(witnesses)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if count, ok := strings.CutPrefix(line, "n="); ok && a.Need < 0 {
			if a.Need, err = strconv.Atoi(count); err != nil || a.Need < 0 {
				return nil, fmt.Errorf("%w: %q is no number of witnesses", ErrAnchors, count)
			}
			continue
		}
		w, err := formats.NewVerifierForCosignatureV1(line)
		if err != nil || !strings.HasPrefix(line, w.Name()+"+") {
			return nil, fmt.Errorf("%w: %q is no witness's key", ErrAnchors, line)
		}
		key := keyOf(line)
		if keys[key] || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: the key of %s stands there twice, or is no Ed25519 key", ErrAnchors, w.Name())
		}
		keys[key] = true
		a.witnesses = append(a.witnesses, w)
	}
	if a.Need < 0 || a.Need > len(a.witnesses) || len(a.witnesses) > maxWitnesses {
		return nil, fmt.Errorf("%w: n=%d of %d witnesses", ErrAnchors, a.Need, len(a.witnesses))
	}
	return a, nil
}

// keyOf returns the key in the text of a verifier's key, without name, hash and kind, because
// one key with two names is only one witness.
func keyOf(text string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(text), "+")
	_, b64, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil || len(raw) == 0 {
		return ""
	}
	return string(bytes.Clone(raw[1:]))
}

// Origin returns the log's name.
func (a *Anchors) Origin() string { return a.log.Name() }
