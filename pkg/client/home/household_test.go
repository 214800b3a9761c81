package home

import (
	"crypto/ed25519"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/store"
)

// TestForkBetweenProcessesIsFound: each of two processes is shown another log.
func TestForkBetweenProcessesIsFound(t *testing.T) {
	c := newCamera()
	s := must(OpenHousehold(must(Open(t.TempDir())), c.record(1)))
	first := accesslog.Checkpoint{}
	one, other := c.checkpoint(t, "Anna"), c.checkpoint(t, "Eve")
	if c, err := s.Advance(first, one); c != nil || err != nil {
		t.Fatal(c, err)
	}
	if c, err := s.Advance(first, other); err != nil || c == nil || c.Note != one.Note {
		t.Errorf("Advance = %v, %v, want the first one", c, err)
	}
	later := other
	later.Size++
	if c, err := s.Advance(first, later); c != nil || err != nil {
		t.Errorf("Advance = %v, %v", c, err)
	}
	if got := must(s.Checkpoint()); got.Note != one.Note {
		t.Error("a checkpoint that nothing links to the last one took its place")
	}
}

// checkpoint signs a log of the camera that begins with the pairing of a member.
func (c camera) checkpoint(t *testing.T, member string) accesslog.Checkpoint {
	db := must(store.Create(store.Config{Path: filepath.Join(t.TempDir(), "log.db")}, func(*store.Tx) error { return nil }))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	l := must(accesslog.Open(db, 1, accesslog.Origin(c.device, 1), c.log))
	must(l.Append(accesslog.Entry{Kind: accesslog.KindPair, Name: member}))
	return must(l.Checkpoint())
}

func FuzzHouseholdFiles(f *testing.F) {
	f.Add([]byte(`{"version":1,"kind":"fork","have":"a","got":"b"}`))
	f.Add([]byte(`{"version":1,"revokes":[{"jti":"x","ep":1,"body":{"client":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}]}`))
	f.Add([]byte("1 17"))
	s := &Household{Keys: envelope.Trio{Log: make([]byte, ed25519.PublicKeySize)}, origin: "camd/x/1"}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := parseAlarm("f", data); err == nil {
			_ = a.Sentence("Hall")
		}
		if l, err := parsePending("f", data); err == nil {
			for _, u := range l {
				if u.Who() == "" {
					t.Error("a revocation of nobody")
				}
			}
		}
		_ = parseCursor(data, 1)
		if _, err := s.ParseCheckpoint(string(data)); err == nil {
			t.Error("a checkpoint without a signature")
		}
	})
}

func TestRevocationsOfAnEarlierEpochAreMoot(t *testing.T) {
	h, c := must(Open(t.TempDir())), newCamera()
	body := []byte(`{"client":"` + strings.Repeat("B", 43) + `"}`)
	if err := must(OpenHousehold(h, c.record(1))).AddPending(PendingRevoke{ID: "x", Epoch: 1, Body: body}); err != nil {
		t.Fatal(err)
	}
	if got := must(must(OpenHousehold(h, c.record(2))).PendingRevokes()); len(got) != 0 {
		t.Errorf("pending %+v", got)
	}
}
