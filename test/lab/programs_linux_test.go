package lab

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestAddPrograms: a program comes with its libraries and theirs, and never a file of the
// host's that a link in the packages names.
func TestAddPrograms(t *testing.T) {
	host, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skipf("this machine has no shell to take apart: %v", err)
	}
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	must(t, os.Symlink(host, filepath.Join(root, "bin", "link")))
	a := Archive{}
	if err := a.AddPrograms(root, "bin/link"); err == nil || len(a) != 0 {
		t.Errorf("through an absolute link: %v, %v; want an error", slices.Collect(maps.Keys(a)), err)
	}
	must(t, os.WriteFile(filepath.Join(root, "bin", "sh"), read(t, host), 0o755))
	if err := a.AddPrograms(root, "bin/sh"); err == nil {
		t.Error("a program without its libraries was added")
	}
}
