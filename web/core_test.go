package web_test

import (
	"context"
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// sources are embedded so that a mutant of them is what is tested: see test/attack.
//
//go:embed package.json src setup setup.js test/*.mjs
var sources embed.FS

// TestCore has the page's own tests run, those in test: its client, against a broker and a
// camera of theirs and the vectors of docs/protocol.md, and what its screens compute.
func TestCore(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node, which Debian has in the package nodejs")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "web"), sources); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "pkg"), filepath.Join(dir, "pkg")); err != nil { // the vectors
		t.Fatal(err)
	}
	for _, name := range []string{"camera", "core", "localnetwork", "pushed", "session", "ui", "vectors"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "test/"+name+".test.mjs")
			cmd.Dir = filepath.Join(dir, "web")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("node --test: %v\n%s", err, out)
			}
		})
	}
}
