package repotest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetupSaysWhatLacks runs scripts/setup.sh on machines that lack something. None has
// apt-get that could install anything, so nothing of this machine changes.
func TestSetupSaysWhatLacks(t *testing.T) {
	const (
		newGo = "echo go1.99.0"
		apt   = "exit 1"
		user  = "echo 1000"
	)
	for name, c := range map[string]struct {
		programs map[string]string
		want     string // empty: all is well
	}{
		"no Go":       {nil, "PATH has no go: install it from https://go.dev/dl/"},
		"old Go":      {map[string]string{"go": "echo go1.19.8"}, "go is go1.19.8: install a newer one"},
		"no sudo":     {map[string]string{"go": newGo, "apt-get": apt, "id": user}, "As root: apt-get update && apt-get install -y gcc g++"},
		"not Debian":  {map[string]string{"go": newGo}, "the equivalent of: gcc g++"},
		"all is well": {map[string]string{"go": newGo, "dpkg-query": "echo ii"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, tool := range []string{"bash", "dirname", "sed", "sort", "head", "grep"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Skipf("this machine lacks %s", tool)
				}
				if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
					t.Fatal(err)
				}
			}
			bash := filepath.Join(dir, "bash")
			for program, text := range c.programs {
				if err := os.WriteFile(filepath.Join(dir, program), []byte("#!"+bash+"\n"+text+"\n"), 0o755); err != nil { //nolint:gosec // a program
					t.Fatal(err)
				}
			}
			cmd := exec.Command(bash, "../../scripts/setup.sh", "build")
			cmd.Env = []string{"PATH=" + dir}
			out, _ := cmd.CombinedOutput() // what it says counts
			if said := string(out); !strings.Contains(said, c.want) || c.want == "" && said != "" || strings.Count(said, "\n") > 1 {
				t.Errorf("setup.sh says %q, not one line with %q", said, c.want)
			}
		})
	}
}
