package system

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/test/rig"
)

// TestSystemCallsAreThoseOfTheUnit has a camera do what cameras do, and looks whether its
// unit lets it: each system call has to be in SystemCallFilter of camd.service, and each
// socket of a family of RestrictAddressFamilies. It is the other side of TestSandbox.
func TestSystemCallsAreThoseOfTheUnit(t *testing.T) {
	for _, tool := range []string{"strace", "systemd-analyze"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this machine lacks %s", tool)
		}
	}
	unit, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("CAMD_MUTANT"), "../.."), "docs/systemd/camd.service"))
	if err != nil {
		t.Fatal(err)
	}
	allowed, families := filter(t, string(unit))

	trace := filepath.Join(t.TempDir(), "trace")
	r := rig.New(t, synthetic+"speaker = \"null\"\n")
	r.Under = []string{"strace", "-D", "-f", "-qq", "-o", trace}
	r.Start()
	r.Online()
	camera := r.Owner()
	mustWatch(t, camera).picture(t)
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	if _, err := camera.Snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("camd ended: %v", err)
	}

	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, m := range call.FindAllStringSubmatch(string(text), -1) {
		seen++
		if !allowed[m[1]] {
			t.Errorf("camd calls %s, which its unit forbids", m[1])
			allowed[m[1]] = true // once is enough
		}
		if m[1] == "socket" && !families[m[2]] {
			t.Errorf("camd makes a socket of the family %s, which its unit forbids", m[2])
		}
	}
	if seen < 1000 {
		t.Errorf("only %d system calls were seen", seen)
	}
}

// call is a line of strace: the number of a thread, a name, the first word behind it.
var call = regexp.MustCompile(`(?m)^\d+ +([a-z_0-9]+)\(([A-Z_0-9]*)`)

// filter reads what a unit allows.
func filter(t *testing.T, unit string) (calls, families map[string]bool) {
	calls, families = map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		if names, ok := strings.CutPrefix(line, "RestrictAddressFamilies="); ok {
			for _, f := range strings.Fields(names) {
				families[f] = true
			}
		}
		names, ok := strings.CutPrefix(line, "SystemCallFilter=")
		if !ok {
			continue
		}
		names, not := strings.CutPrefix(names, "~")
		for _, name := range strings.Fields(names) {
			for _, c := range expand(t, name) {
				calls[c] = !not
			}
		}
	}
	return calls, families
}

// expand gives the system calls of one of systemd's sets, or the one of that name.
func expand(t *testing.T, name string) (l []string) {
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	out, err := exec.Command("systemd-analyze", "--no-pager", "syscall-filter", name).Output()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" || line == name || strings.HasPrefix(line, "#") {
			continue
		}
		l = append(l, expand(t, line)...)
	}
	return l
}
