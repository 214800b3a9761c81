package repotest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDecisionsAreInTheIndex checks that the records of docs/decisions are numbered
// without a gap, in the order of their dates, and that the index lists each of them with
// its date and title, the newest first.
func TestDecisionsAreInTheIndex(t *testing.T) {
	const folder = "docs/decisions"
	paths, err := filepath.Glob(filepath.Join(root, folder, "[0-9]*.md"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records in %s: %v", folder, err)
	}
	form := regexp.MustCompile(`^# (\d{4})\. (.+)\n\nDate: (\d{4}-\d{2}-\d{2})\n(?:Replaced by \[\d{4}\]\(\S+\)\.\n)?\n## Decision\n(?s:.+)\n## Why\n`)
	var want []string
	last := ""
	for i, path := range paths {
		name := filepath.Base(path)
		m := form.FindStringSubmatch(readFile(t, folder+"/"+name))
		if m == nil {
			t.Errorf("%s has not the form of a record: see %s/README.md", name, folder)
			continue
		}
		number, title, date := m[1], m[2], m[3]
		if number != fmt.Sprintf("%04d", i+1) || !strings.HasPrefix(name, number+"-") {
			t.Errorf("%s has the number %s, want %04d", name, number, i+1)
		}
		if date < last {
			t.Errorf("%s is dated %s, and the record before it %s", name, date, last)
		}
		last = date
		want = append(want, fmt.Sprintf("| [%s](%s) | %s | %s |", number, name, date, title))
	}
	slices.Reverse(want)
	var got []string
	for line := range strings.Lines(readFile(t, folder+"/README.md")) {
		if strings.HasPrefix(line, "| [") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s/README.md lists\n%s\nwant\n%s", folder, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
