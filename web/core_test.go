package web_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestCore has the page's own tests run, those in test, against a broker and a camera of
// theirs, and the vectors of docs/protocol.md.
func TestCore(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node, which Debian has in the package nodejs")
	}
	files, err := filepath.Glob("test/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := append([]string{"--test", "--test-reporter=spec"}, files...)
	if out, err := exec.CommandContext(ctx, "node", args...).CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
