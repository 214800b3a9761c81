package web_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/web"
)

// TestBundleIsBuiltFromTheSources makes the page anew from the sources and the lock file,
// and compares it with the one that is committed and embedded.
func TestBundleIsBuiltFromTheSources(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, which Debian has in the package of that name", tool)
		}
	}
	dir := t.TempDir()
	for _, folder := range []string{"src", "setup"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"setup.js", "build.mjs", "package.json", "package-lock.json"} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	run(t, dir, "node", "build.mjs")
	built := os.DirFS(filepath.Join(dir, "dist"))
	contains(t, web.Files, built, "it is not in the committed bundle")
	contains(t, built, web.Files, "the sources don't make it")
}

// contains reports each file of one that other has not, or has otherwise.
func contains(t *testing.T, other, one fs.FS, lacks string) {
	t.Helper()
	err := fs.WalkDir(one, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := fs.ReadFile(one, path)
		if err != nil {
			return err
		}
		if have, err := fs.ReadFile(other, path); err != nil {
			t.Errorf("web/dist/%s: %s; make web builds it anew", path, lacks)
		} else if !bytes.Equal(have, want) {
			t.Errorf("web/dist/%s is not built from the sources; make web builds it anew", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
