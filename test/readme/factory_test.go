package readme

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
)

// TestTheFactoryLine runs what docs/operations.md tells the line to type, with the real
// programs, and scans the label that comes out.
func TestTheFactoryLine(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := commands("## The factory", string(text))
	if len(lines) < 7 {
		t.Fatalf("the section has only the commands %q", lines)
	}
	bin, work, root := t.TempDir(), t.TempDir(), t.TempDir()
	out, err := exec.Command("go", "build", "-tags", "netgo,osusergo,nomicrophone", "-o", bin,
		"github.com/camd-project/camd/cmd/camd", "github.com/camd-project/camd/cmd/camops").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	bash := func(line string) {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(line, "/mnt", root+"/mnt"))
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", line, err, out)
		}
	}
	bash("camops pki init")
	for _, line := range lines {
		if strings.HasPrefix(line, "rm -r labels") {
			scanned(t, work)
		}
		bash(line)
	}
	if _, err := os.Stat(filepath.Join(work, "labels")); err == nil {
		t.Error("the labels are still there")
	}
	inATPM(t, string(text), work, bash)
}

// inATPM does the same on a device with a TPM.
func inATPM(t *testing.T, text, work string, bash func(string)) {
	t.Helper()
	lines := commands("### The identity in a TPM", text)
	if len(lines) != 1 {
		t.Fatalf("the section has the commands %q", lines)
	}
	chip := tpmtest.New(t)
	config := fmt.Sprintf("[device]\nstate = %q\ntpm = %q\n", filepath.Join(work, "state"), chip.Path)
	if err := os.WriteFile(filepath.Join(work, "device.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	bash(lines[0] + " --config device.toml")
	if record, err := os.ReadFile(filepath.Join(work, "record.json")); err != nil || !strings.Contains(string(record), `"identity": "C2"`) {
		t.Errorf("%s, %v", record, err)
	}
}

// scanned compares the one label with the one record.
func scanned(t *testing.T, work string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(work, "records/0001.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Device, Label string }
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(work, "labels", r.Device+".svg")); err != nil {
		t.Error(err)
	}
	if _, err := exec.LookPath("zbarimg"); err != nil {
		t.Skip("zbarimg is not installed (Debian package zbar-tools)")
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", "-S*.enable=0", "-Sqrcode.enable=1", "--nodbus",
		filepath.Join(work, "labels", r.Device+".png")).Output()
	if err != nil || strings.TrimSpace(string(out)) != r.Label {
		t.Errorf("scanned %q, the record has %q: %v", out, r.Label, err)
	}
}
