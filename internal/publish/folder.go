package publish

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// How long metadata last. Offline roles are renewed by people, online ones by each
// publish: a camera that hears nothing newer for that long refuses what it has.
const (
	day           = 24 * time.Hour
	rootLife      = 2 * 365 * day
	targetsLife   = 365 * day
	snapshotLife  = 30 * day
	rolloutLife   = 30 * day
	timestampLife = 7 * day
	warnBefore    = 60 * day // for people to meet
)

// The role that can withhold, and how many keys of the offline roles sign.
const (
	rolloutRole  = "rollout"
	offlineKeys  = 3
	offlineSigns = 2
)

// Names in a Folder.
const (
	keyFolder    = "keys"
	anchorFolder = "anchors"
	siteFolder   = "site"
	draftFolder  = "draft"
	leavesFile   = "leaves"
	pendingFile  = "pending" // in the log's folder: a checkpoint that waits for witnesses
)

// Folder is a maker's working folder:
//
//	keys/     root-1 to root-3, targets-1 to targets-3 (encrypted); snapshot, timestamp,
//	          rollout, log (online); witness, the development witness, if there is one
//	anchors/  for the image: root.json, log.pub, witnesses
//	draft/    metadata that offline keys still have to sign, and new keys that these name
//	names     which key was made under which name, a line each
//	leaves    what the release log holds, a line each; only ever longer
//	site/     all that is published, which publish copies
//
// Offline keys may lie anywhere: sign takes a path.
type Folder struct {
	dir   string
	now   func() time.Time
	shown map[string]string // drafts as Changes has told of them, by role; nil: nobody asked
}

// Open opens a Folder that Init made.
func Open(dir string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, anchorFolder, release.WitnessesFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no releases in %s: begin with camops release init, or name the folder with --dir", dir)
	} else if err != nil {
		return nil, fmt.Errorf("open the folder of releases: %w", err)
	}
	return &Folder{dir: dir, now: time.Now}, nil
}

// Path returns where something lies in the folder.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

func (f *Folder) expires(life time.Duration) time.Time {
	return f.now().Add(life).UTC().Truncate(time.Second)
}

// online reads a key that is needed without a person.
func (f *Folder) online(name string) (key, error) {
	return readKey(f.Path(keyFolder, name+".key"), func(string, bool) ([]byte, error) {
		return nil, fmt.Errorf("the key %s is encrypted, and is needed without a person", name)
	})
}

// leaves returns what the log holds.
func (f *Folder) leaves() ([]release.Leaf, error) {
	text, err := os.ReadFile(f.Path(leavesFile))
	if err != nil {
		return nil, fmt.Errorf("read the release log: %w", err)
	}
	var l []release.Leaf
	for line := range strings.Lines(string(text)) {
		leaf, err := release.ParseLeaf([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", f.Path(leavesFile), len(l)+1, err)
		}
		l = append(l, leaf)
	}
	return l, nil
}

func (f *Folder) writeLeaves(l []release.Leaf) error {
	var b strings.Builder
	for _, leaf := range l {
		b.Write(leaf.Text())
		b.WriteByte('\n')
	}
	return store.WriteFile(f.Path(leavesFile), []byte(b.String()))
}

// latest reads the newest published metadata of a role, or of root; false if there are
// none yet.
func latest[T metadata.Roles](f *Folder, role string, into *metadata.Metadata[T]) (bool, error) {
	files, _ := filepath.Glob(f.Path(siteFolder, "metadata", "*."+role+".json")) // the pattern is a good one
	newest, path := 0, ""
	for _, file := range files {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(file), "%d."+role+".json", &n); err == nil && n > newest {
			newest, path = n, file
		}
	}
	if role == metadata.TIMESTAMP {
		path = f.Path(siteFolder, "metadata", "timestamp.json")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	if path == "" {
		return false, nil
	}
	return true, readMetadata(path, into)
}

func readMetadata[T metadata.Roles](path string, into *metadata.Metadata[T]) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	if _, err := into.FromBytes(text); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// writeSite writes a file of the site. What is there with the same content stays.
func (f *Folder) writeSite(path string, data []byte) error {
	return writePublic(f.Path(siteFolder), path, data)
}

// writePublic writes a file that others are to read, and its folders.
func writePublic(root, path string, data []byte) error {
	full := filepath.Join(root, filepath.FromSlash(path))
	if old, err := os.ReadFile(full); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil { //nolint:gosec // it is public
		return fmt.Errorf("publish: %w", err)
	}
	if err := store.WriteFile(full, data); err != nil {
		return err
	}
	return os.Chmod(full, 0o644) //nolint:gosec // it is public
}

// writeMetadata writes metadata, and returns the file.
func writeMetadata[T metadata.Roles](path string, m *metadata.Metadata[T]) ([]byte, error) {
	text, err := m.ToBytes(true)
	if err != nil {
		return nil, fmt.Errorf("write metadata: %w", err)
	}
	text = append(text, '\n')
	return text, writePublic(filepath.Dir(path), filepath.Base(path), text)
}

// metaFile returns which version of metadata belongs to those that name it.
func metaFile(version int64, text []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(text)
	return &metadata.MetaFiles{Version: version, Length: int64(len(text)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}
