package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const protocolFile = "docs/protocol.md"

// protocol is docs/protocol.md, by clause.
type protocol struct {
	text    string
	clauses map[string]string // text of each clause, by number: "5", "5.1", "4.1.6", "5.1 step 16"
}

var (
	sectionLine = regexp.MustCompile(`^## (\d+)\. `)
	clauseLine  = regexp.MustCompile(`^\*\*(\d+\.\d+) `)
	itemLine    = regexp.MustCompile(`^(\d+)\. `)
	stepLine    = regexp.MustCompile(`^\| (\d+) \|`)
	inCode      = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	word        = regexp.MustCompile(`[A-Za-z0-9_]+`)
)

func readProtocol(t *testing.T) protocol {
	t.Helper()
	text := readFile(t, protocolFile)
	p := protocol{text: text, clauses: map[string]string{}}
	var section, clause, item string
	for line := range strings.Lines(text) {
		switch {
		case sectionLine.MatchString(line):
			section, clause, item = sectionLine.FindStringSubmatch(line)[1], "", ""
		case clauseLine.MatchString(line):
			clause, item = clauseLine.FindStringSubmatch(line)[1], ""
			if !strings.HasPrefix(clause, section+".") {
				t.Errorf("%s: clause %s stands in section %s", protocolFile, clause, section)
			}
			p.begin(t, clause)
		case clause != "" && itemLine.MatchString(line):
			item = clause + "." + itemLine.FindStringSubmatch(line)[1]
			p.begin(t, item)
		case clause != "" && stepLine.MatchString(line):
			p.clauses[clause+" step "+stepLine.FindStringSubmatch(line)[1]] = line
		}
		for _, c := range []string{section, clause, item} {
			if c != "" {
				p.clauses[c] += line
			}
		}
	}
	return p
}

func (p protocol) begin(t *testing.T, clause string) {
	if _, twice := p.clauses[clause]; twice {
		t.Errorf("%s has two clauses %s", protocolFile, clause)
	}
}

// names are the words that stand in code spans and blocks of a clause.
func (p protocol) names(clause string) []string {
	var l []string
	for _, code := range inCode.FindAllString(p.clauses[clause], -1) {
		l = append(l, word.FindAllString(code, -1)...)
	}
	return l
}

// column gives the code spans in the first cells of the table of a clause that has
// this header.
func (p protocol) column(t *testing.T, clause, header string) []string {
	t.Helper()
	var l []string
	for _, cells := range p.table(t, clause, header) {
		l = append(l, spans(cells[0])...)
	}
	return l
}

// table gives the rows of a clause's table whose first header is this one.
func (p protocol) table(t *testing.T, clause, header string) (rows [][]string) {
	t.Helper()
	inside := false
	for line := range strings.Lines(p.clauses[clause]) {
		cells, ok := cellsOf(line)
		switch {
		case !ok:
			inside = false
		case cells[0] == header:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s %s has no table with the header %s", protocolFile, clause, header)
	}
	return rows
}

func cellsOf(line string) (cells []string, ok bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil, false
	}
	for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells, true
}

// spans are the code spans of a line, without their backticks.
func spans(s string) (l []string) {
	for _, span := range inCode.FindAllString(s, -1) {
		l = append(l, strings.Trim(span, "`"))
	}
	return l
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// same reports what one of two lists has and the other has not.
func same(t *testing.T, what string, documented, coded []string) {
	t.Helper()
	if len(coded) == 0 {
		t.Errorf("%s: found none in the code", what)
	}
	for _, s := range documented {
		if !slices.Contains(coded, s) {
			t.Errorf("%s: %s has %q, the code has not", what, protocolFile, s)
		}
	}
	for _, s := range coded {
		if !slices.Contains(documented, s) {
			t.Errorf("%s: the code has %q, %s has not", what, s, protocolFile)
		}
	}
}
