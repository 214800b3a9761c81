package publish

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// What lasts is left alone, what ends soon is made again, and what people sign is theirs.
func TestRenewal(t *testing.T) {
	f, err := Init(filepath.Join(t.TempDir(), "maker"), Options{Origin: "a.example/log"}, func(string, bool) ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Publish(t.TempDir()); err == nil {
		t.Error("nothing was published")
	}
	targets, err := f.targetsDraft()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writeMetadata(f.Path(draftFolder, "targets.json"), targets); err != nil {
		t.Fatal(err)
	}
	ask := func(string, bool) ([]byte, error) { return nil, nil }
	for _, name := range []string{"targets-1", "targets-2"} {
		if _, err := f.Sign(f.Path(keyFolder, name+".key"), ask); err != nil {
			t.Fatal(err)
		}
	}
	to := t.TempDir()
	w := Witness{LogKey: f.Path(anchorFolder, "log.pub"), Key: f.Path(keyFolder, "witness.key"), State: filepath.Join(t.TempDir(), "seen"), Ask: ask}
	if err := f.Publish(to); !errors.Is(err, ErrUnwitnessed) {
		t.Fatal(err)
	}
	if _, _, err := w.Sign(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for _, tt := range []struct {
		day                                    int
		timestamp, snapshot, rollout, versions int64
	}{{0, 1, 1, 1, 1}, {1, 2, 1, 1, 1}, {16, 3, 2, 2, 1}, {17, 4, 2, 2, 1}, {40, 5, 3, 3, 1}} {
		f.now = func() time.Time { return begin.Add(time.Duration(tt.day) * day) }
		if err := f.Publish(to); err != nil {
			t.Fatal(err)
		}
		stamp, snap := metadata.Timestamp(), metadata.Snapshot()
		if _, err := latest(f, metadata.TIMESTAMP, stamp); err != nil {
			t.Fatal(err)
		}
		if _, err := latest(f, metadata.SNAPSHOT, snap); err != nil {
			t.Fatal(err)
		}
		meta := snap.Signed.Meta
		if stamp.Signed.Version != tt.timestamp || snap.Signed.Version != tt.snapshot ||
			meta["rollout.json"].Version != tt.rollout || meta["targets.json"].Version != tt.versions {
			t.Errorf("day %d: timestamp %d, snapshot %d, rollout %d, targets %d", tt.day, stamp.Signed.Version, snap.Signed.Version, meta["rollout.json"].Version, meta["targets.json"].Version)
		}
		if left := stamp.Signed.Expires.Sub(f.now()); left < timestampLife-time.Hour {
			t.Errorf("day %d: the timestamp lasts for %v", tt.day, left)
		}
	}
	if l, err := f.EndsSoon(); err != nil || len(l) != 0 {
		t.Errorf("it ends soon: %q, %v", l, err)
	}
	f.now = func() time.Time { return begin.Add(310 * day) }
	if l, err := f.EndsSoon(); err != nil || len(l) != 1 || !strings.HasPrefix(l[0], "The targets metadata end on ") {
		t.Errorf("what ends soon: %q, %v", l, err)
	}
	for range 2 { // each who signs says that it is to be renewed
		if err := f.Renew(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Sign(f.Path(keyFolder, "targets-1.key"), ask); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := f.Drafts(); err != nil || len(d) != 2 || d[0].Have != 1 {
		t.Errorf("signed by one, after the second renewal: %+v, %v", d, err)
	}
	if err := f.Renew(); err != nil {
		t.Fatal(err)
	}
	if d, err := f.Drafts(); err != nil || d[0].Have != 1 {
		t.Errorf("the second --renew takes the first one's signature: %+v, %v", d, err)
	}
}
