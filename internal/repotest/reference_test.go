package repotest

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	filePath = regexp.MustCompile(`(?:^|[\s("` + "`" + `/])((?:\./)?(?:cmd|docs|internal|pkg|scripts|test|web)/[A-Za-z0-9_./*-]+)`)
	testName = regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]*`)
	attack   = regexp.MustCompile(`\bT[1-9][0-9]?\b`)
)

// TestDocumentsLinkToWhatThereIs follows each relative link, to its heading too.
func TestDocumentsLinkToWhatThereIs(t *testing.T) {
	eachFile(t, ".md", func(path string) {
		for _, m := range link.FindAllStringSubmatch(readFile(t, path), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which there is not", path, m[1])
			} else if anchor != "" && !slices.Contains(anchors(readFile(t, to)), anchor) {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	})
}

// anchors are the names that hosts of Git give to headings.
func anchors(text string) (l []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		l = append(l, strings.ReplaceAll(regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return l
}

// TestDocumentsNameFilesThatThereAre looks for each path of the repository, and each Go
// file without its folder, that a document or a comment in a Go file names.
func TestDocumentsNameFilesThatThereAre(t *testing.T) {
	var names []string
	eachFile(t, ".go", func(path string) { names = append(names, filepath.Base(path)) })
	goFile := regexp.MustCompile(`(?:^|[\s(,;"` + "`" + `])([a-z][a-z0-9_]*\.go)\b`)
	foreign := []string{"internal/common", "meta.go", "tlog_test.go"} // bbolt's, and golang.org/x/mod's
	look := func(where, text string) {
		for _, m := range filePath.FindAllStringSubmatch(text, -1) {
			name := regexp.MustCompile(`\.[A-Z]\w*$`).ReplaceAllString(strings.TrimRight(m[1], "./-"), "") // pkg/live.Server
			if slices.ContainsFunc(foreign, func(f string) bool { return under(name, f) }) {
				continue
			}
			if found, err := filepath.Glob(filepath.Join(root, name)); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which there is not", where, name)
			}
		}
		for _, m := range goFile.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(append(foreign, names...), m[1]) {
				t.Errorf("%s names %s, and no file is called so", where, m[1])
			}
		}
	}
	eachFile(t, ".md", func(path string) { look(path, readFile(t, path)) })
	eachFile(t, ".go", func(path string) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(root, path), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range f.Comments {
			look(set.Position(group.Pos()).String(), group.Text())
		}
	})
}

// TestDocumentsNameWhatFilesDeclare looks for each identifier that a document names right
// after its file: "`pkg/live/packets/packetize.go`, `maxPayload`".
func TestDocumentsNameWhatFilesDeclare(t *testing.T) {
	pair := regexp.MustCompile("`([a-z]+/[a-z0-9_/]+\\.go)`, `([A-Za-z]\\w*)`")
	n := 0
	eachFile(t, ".md", func(path string) {
		for _, m := range pair.FindAllStringSubmatch(readFile(t, path), -1) {
			n++
			if !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |const |var |\t)` + m[2] + `\b`).MatchString(readFile(t, m[1])) {
				t.Errorf("%s says that %s declares %s, which it does not", path, m[1], m[2])
			}
		}
	})
	if n < 2 {
		t.Errorf("found only %d identifiers", n)
	}
}

// TestDocumentsNameTestsThatThereAre looks for each test that a document counts on.
func TestDocumentsNameTestsThatThereAre(t *testing.T) {
	tests := functions(t, "Test")
	attacks := attackNames(t)
	eachFile(t, ".md", func(path string) {
		text := readFile(t, path)
		for _, name := range testName.FindAllString(text, -1) {
			if !slices.Contains(tests, name) {
				t.Errorf("%s names %s, which there is not", path, name)
			}
		}
		for _, n := range attack.FindAllString(text, -1) {
			if !slices.Contains(attacks, n) {
				t.Errorf("%s names %s, and no test is called so, or says that it is", path, n)
			}
		}
	})
}

// attackNames are the T1 to T22 that tests are called by, or say that they are.
func attackNames(t *testing.T) (l []string) {
	t.Helper()
	said := regexp.MustCompile(`(?:func Test|// (?:[^\n]*\W)?)(T[1-9][0-9]?)(?:[A-Z.]|\n)`)
	eachFile(t, "_test.go", func(path string) {
		for _, m := range said.FindAllStringSubmatch(readFile(t, path), -1) {
			l = append(l, m[1])
		}
	})
	return l
}

// mutants returns what the last column of the table of controls names.
func mutants(t *testing.T) (l []string) {
	t.Helper()
	for line := range strings.Lines(readFile(t, "docs/threat-model.md")) {
		if cells, ok := cellsOf(line); ok && len(cells) == 5 {
			l = append(l, spans(cells[4])...)
		}
	}
	if len(l) < 20 {
		t.Fatalf("found only %d mutants in docs/threat-model.md", len(l))
	}
	return l
}

const mutantFolder = "test/attack/mutants"

func TestThreatModelNamesMutantsThatThereAre(t *testing.T) {
	for _, name := range mutants(t) {
		if found, err := filepath.Glob(filepath.Join(root, mutantFolder, name+".patch")); err != nil || len(found) == 0 {
			t.Errorf("docs/threat-model.md names the mutant %s, which there is not", name)
		}
	}
}

func TestThreatModelNamesEveryMutant(t *testing.T) {
	names := mutants(t)
	files, err := os.ReadDir(filepath.Join(root, mutantFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".patch")
		if !slices.ContainsFunc(names, func(pattern string) bool { ok, _ := filepath.Match(pattern, name); return ok }) {
			t.Errorf("docs/threat-model.md names no control whose mutant is %s", name)
		}
	}
}
