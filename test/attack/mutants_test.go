package attack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// mutant is one patch and what its head says.
type mutant struct {
	patch   string // absolute path
	tests   []named
	changed []string // paths in the repository
}

// named is a test that must fail under the patch.
type named struct{ pkg, test string }

// pattern is what go test -run takes for it.
func (n named) pattern() string { return "^" + strings.ReplaceAll(n.test, "/", "$/^") + "$" }

func read(t *testing.T, path string) mutant {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	m := mutant{patch: abs}
	pkg := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if v, ok := strings.CutPrefix(line, "Package: "); ok {
			pkg = v
		}
		if v, ok := strings.CutPrefix(line, "Test: "); ok && pkg != "" {
			m.tests = append(m.tests, named{pkg, v})
		}
		if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
			m.changed = append(m.changed, file)
		}
	}
	if len(m.tests) == 0 || len(m.changed) == 0 {
		t.Fatalf("%s names no package, test or file", path)
	}
	return m
}

// overlay applies the patch to copies and returns the file for go -overlay. A
// patch that no longer applies is a failure: the control moved, and nobody looked.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if m.image() {
		for _, folder := range imageFolders {
			if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := map[string]string{}
	for _, file := range m.changed {
		source, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		replace[source] = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(replace[source]), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(replace[source], text, 0o644); err != nil { // keeps the mode of a copy
			t.Fatal(err)
		}
	}
	apply := exec.Command("git", "apply", m.patch)
	apply.Dir = dir
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir)) // not the repository's own tree
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("the patch does not apply: %v\n%s", err, out)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// imageFolders hold what images are made of and no compiler sees: tests read them below
// CAMD_MUTANT, if that is set.
var imageFolders = []string{"buildroot", "docs/systemd"}

// image reports whether the patch changes something of them.
func (m mutant) image() bool {
	return slices.ContainsFunc(m.changed, func(file string) bool { return !strings.HasSuffix(file, ".go") })
}

// run runs one of the mutant's tests and returns how it ended: pass, fail, skip, or
// empty when it did not run (because the mutant does not compile, say). In GOFLAGS the
// overlay reaches children that the test builds, too.
func (m mutant) run(t *testing.T, n named, overlay string) (action, printed, output string) {
	t.Helper()
	env := []string{"GOFLAGS=" + os.Getenv("GOFLAGS") + " -overlay=" + overlay}
	if m.image() {
		env = append(env, "CAMD_MUTANT="+filepath.Dir(overlay))
	}
	out := goTest(n.pattern(), n.pkg, env...)
	action, printed = ending(n.test, bytes.NewReader(out))
	return action, printed, string(out)
}

// goTest runs tests and returns its events, which tell more than its exit code.
func goTest(run, pkg string, environment ...string) []byte {
	cmd := exec.Command("go", "test", "-json", "-count=1", "-vet=off", "-ldflags=-s -w", "-timeout=5m", "-run", run, pkg) // linked faster without tables for debuggers
	cmd.Dir = root
	cmd.Env = append(os.Environ(), environment...)
	out, _ := cmd.CombinedOutput()
	return out
}

// ending returns the last event of a test in what go test -json prints, and what the test
// and its subtests printed.
func ending(test string, r io.Reader) (action, printed string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test != test && !strings.HasPrefix(e.Test, test+"/") {
			continue
		}
		switch e.Action {
		case "output":
			if !strings.HasPrefix(e.Output, "=== ") {
				printed += e.Output
			}
		case "pass", "fail", "skip":
			if e.Test == test {
				action = e.Action
			}
		}
	}
	return action, printed
}

// own is this package, whose tests pass without a patch, or this run fails anyway.
const own = "./test/attack"

// intact runs the mutants' tests without a patch, all of a package at once.
type intact map[string]func() []byte // by package

func newIntact(all []mutant) intact {
	patterns := map[string][]string{}
	for _, m := range all {
		for _, n := range m.tests {
			patterns[n.pkg] = append(patterns[n.pkg], n.pattern())
		}
	}
	s := intact{}
	for pkg, l := range patterns {
		s[pkg] = sync.OnceValue(func() []byte { return goTest(strings.Join(l, "|"), pkg) })
	}
	return s
}

// ending is how a test ends without a patch.
func (s intact) ending(n named) (action, output string) {
	if n.pkg == own {
		return "pass", ""
	}
	out := s[n.pkg]()
	action, _ = ending(n.test, bytes.NewReader(out))
	return action, string(out)
}

// TestEveryMutantIsCaught runs beside the tests that wait most.
func TestEveryMutantIsCaught(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob("mutants/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no mutants: %v", err)
	}
	var all []mutant
	for _, path := range patches {
		all = append(all, read(t, path))
	}
	without := newIntact(all)
	for _, m := range all {
		t.Run(strings.TrimSuffix(filepath.Base(m.patch), ".patch"), func(t *testing.T) {
			t.Parallel() // one compiles while another runs
			overlay := m.overlay(t)
			for _, n := range m.tests {
				if action, out := without.ending(n); action != "pass" {
					t.Fatalf("without the patch %s ends with %q:\n%s", n.test, action, out)
				}
				action, printed, out := m.run(t, n, overlay)
				switch {
				case action == "" || strings.Contains(out, "panic: ") || strings.Contains(out, ": build cam"): // rig.Build's words
					t.Errorf("%s did not fail by its own assertion:\n%s", n.test, out)
				case action != "fail":
					t.Errorf("not caught: %s ends with %q though the control is gone:\n%s", n.test, action, printed)
				default:
					t.Logf("caught: without the control %s in %s fails:\n%s", n.test, n.pkg, printed)
				}
			}
		})
	}
}

func TestHowATestEnds(t *testing.T) {
	const events = `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Test":"TestA/one","Output":"    a_test.go:7: the door is open\n"}
{"Action":"fail","Test":"TestA/one"}
{"Action":"output","Test":"TestA","Output":"--- FAIL: TestA (0.01s)\n"}
{"Action":"fail","Test":"TestA"}
{"Action":"output","Test":"TestAB","Output":"another test\n"}
{"Action":"pass","Test":"TestAB"}
not JSON
`
	const failed = "    a_test.go:7: the door is open\n--- FAIL: TestA (0.01s)\n"
	for test, want := range map[string][2]string{"TestA": {"fail", failed}, "TestAB": {"pass", "another test\n"}, "TestB": {}} {
		if action, printed := ending(test, strings.NewReader(events)); action != want[0] || printed != want[1] {
			t.Errorf("%s ends with %q, and printed %q; want %q", test, action, printed, want)
		}
	}
}
