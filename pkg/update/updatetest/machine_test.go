package updatetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/updatetest"
)

func TestTheMachineKeepsTheContract(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, f updatetest.File) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, f.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", updatetest.File{Compatible: "camd-test", Version: "1.2.0"})
	alien := file("alien", updatetest.File{Compatible: "camd-other", Version: "1.2.0"})
	forged := file("forged", updatetest.File{Compatible: "camd-test", Version: "1.2.0", Broken: true})
	updatetest.Contract(t, func(*testing.T) updatetest.Rig {
		m := updatetest.NewMachine("camd-test", "1.0.0")
		return updatetest.Rig{
			Slots: m, Bundles: m, Forged: forged,
			Good:  update.Bundle{Path: good, Compatible: "camd-test", Version: "1.2.0"},
			Alien: update.Bundle{Path: alien, Compatible: "camd-other", Version: "1.2.0"},
		}
	})
}
