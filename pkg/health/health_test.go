package health

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConditionKeepsSinceAndLogsOncePerChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := NewBoard(slog.New(slog.NewTextHandler(&out, nil)))
		c := b.Condition("camera")
		if s := c.Status(); s.State != Starting {
			t.Fatalf("new condition is %s, want starting", s.State)
		}
		c.Set(Failed, "unplugged")
		since := c.Status().Since
		time.Sleep(time.Minute)
		c.Set(Failed, "unplugged")
		if got := c.Status(); got.Since != since {
			t.Errorf("Since moved from %v to %v without a change", since, got.Since)
		}
		c.Set(OK, "")
		if got := c.Status(); got.Since != since.Add(time.Minute) || got.Reason != "" {
			t.Errorf("after recovery: %+v", got)
		}
		if n := strings.Count(out.String(), "condition changed"); n != 2 {
			t.Errorf("%d log lines, want 2:\n%s", n, &out)
		}
	})
}

func TestSnapshotIsSortedByName(t *testing.T) {
	b := NewBoard(slog.New(slog.DiscardHandler))
	b.Condition("store")
	b.Condition("camera")
	got := b.Snapshot()
	if len(got) != 2 || got[0].Name != "camera" || got[1].Name != "store" {
		t.Errorf("Snapshot() = %+v", got)
	}
}
