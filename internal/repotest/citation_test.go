package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// How clauses are cited: "docs/protocol.md 5.3, 5.4", "docs/protocol.md 5.1 step 16",
// and where it is clear which document is meant "(4.1.6, 2.6)".
const number = `\d+(?:\.\d+)*(?: steps? \d+(?: and \d+)?)?`

var (
	named         = regexp.MustCompile(`protocol\.md(?:\]\([^)]*\))?,? (` + number + `(?:(?:, | and | to )` + number + `)*)`)
	parenthesised = regexp.MustCompile(`\((` + number + `(?:, ` + number + `)*)\)`)
	each          = regexp.MustCompile(number)
)

// cites checks the numbers of one citation.
func (p protocol) cites(t *testing.T, where, citation string) {
	t.Helper()
	for _, c := range each.FindAllString(citation, -1) {
		clause, steps, _ := strings.Cut(c, " step")
		if _, ok := p.clauses[clause]; !ok {
			t.Errorf("%s cites clause %s, which %s has not", where, clause, protocolFile)
		}
		for _, step := range regexp.MustCompile(`\d+`).FindAllString(steps, -1) {
			if _, ok := p.clauses[clause+" step "+step]; !ok {
				t.Errorf("%s cites step %s of clause %s, which %s has not", where, step, clause, protocolFile)
			}
		}
	}
}

func TestGoCitesClausesThatThereAre(t *testing.T) {
	p := readProtocol(t)
	n := 0
	eachFile(t, ".go", func(path string) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, filepath.Join(root, path), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range f.Comments {
			text := strings.Join(strings.Fields(group.Text()), " ")
			where := set.Position(group.Pos()).String()
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				n++
				p.cites(t, where, m[1])
			}
			for _, m := range parenthesised.FindAllStringSubmatch(text, -1) {
				if strings.Contains(m[1], ".") {
					p.cites(t, where, m[1])
				}
			}
		}
	})
	if n < 100 {
		t.Errorf("found only %d citations in Go files", n)
	}
}

func TestOtherFilesCiteClausesThatThereAre(t *testing.T) {
	p := readProtocol(t)
	for _, ext := range []string{".js", ".html", ".sh", ".toml", ".conf", ".acl", ".patch", ".mjs"} {
		eachFile(t, ext, func(path string) {
			for _, m := range named.FindAllStringSubmatch(readFile(t, path), -1) {
				p.cites(t, path, m[1])
			}
		})
	}
}

func TestDocumentsCiteClausesThatThereAre(t *testing.T) {
	p := readProtocol(t)
	eachFile(t, ".md", func(path string) {
		if path == protocolFile {
			return
		}
		for _, m := range named.FindAllStringSubmatch(readFile(t, path), -1) {
			p.cites(t, path, m[1])
		}
	})
	// The threat model says itself that its numbers in brackets are clauses.
	const threats = "docs/threat-model.md"
	n := 0
	for _, m := range parenthesised.FindAllStringSubmatch(readFile(t, threats), -1) {
		n++
		p.cites(t, threats, m[1])
	}
	if n < 20 {
		t.Errorf("found only %d citations in %s", n, threats)
	}
}

// foreignNumber is a decimal that stands behind the name of another document, or is a
// version.
var foreignNumber = regexp.MustCompile(`(?:RFC \d+(?: section)?|TLS|DTLS|MQTT|H\.264|T\.|clause|Noise revision|C2SP|UVC) [A-Z]?\.?\d+(?:\.\d+)*(?: and \d+(?:\.\d+)*)?|[A-Z]\.\d+(?:\.\d+)*`)

// TestTheProtocolCitesItself takes each decimal in the document's prose for a clause.
func TestTheProtocolCitesItself(t *testing.T) {
	p := readProtocol(t)
	prose := foreignNumber.ReplaceAllString(inCode.ReplaceAllString(p.text, ""), "")
	section := regexp.MustCompile(`[Ss]ections? (\d+(?:(?:, | and )\d+)*)`)
	decimal := regexp.MustCompile(`\d+(?:\.\d+)+(?: steps? \d+(?: and \d+)?)?`)
	for line := range strings.Lines(prose) {
		for _, c := range decimal.FindAllString(line, -1) {
			p.cites(t, protocolFile+": "+strings.TrimSpace(line[:min(len(line), 60)]), c)
		}
		for _, m := range section.FindAllStringSubmatch(line, -1) {
			p.cites(t, protocolFile+": "+strings.TrimSpace(line[:min(len(line), 60)]), m[1])
		}
	}
}

// eachFile visits the repository's files whose names end in ext, by path.
func eachFile(t *testing.T, ext string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(rel, ext):
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// functions are the names of all functions in Go files whose names begin with prefix.
func functions(t *testing.T, prefix string) (l []string) {
	t.Helper()
	eachFile(t, ".go", func(path string) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, prefix) && !slices.Contains(l, fn.Name.Name) {
				l = append(l, fn.Name.Name)
			}
		}
	})
	return l
}
