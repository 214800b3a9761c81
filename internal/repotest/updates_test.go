package repotest

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const updatesFile = "docs/updates.md"

// TestUpdatesStatesTheLimitsOfTheCode is TestProtocolStatesTheLimitsOfTheCode for the
// other format that strangers read and write.
func TestUpdatesStatesTheLimitsOfTheCode(t *testing.T) {
	text := strings.Join(strings.Fields(readFile(t, updatesFile)), " ")
	for _, l := range []struct {
		folder, name string
		value        int64
		says         string
	}{
		{"pkg/update/release", "maxVersion", 64, "without `v` and build metadata, at most 64"},
		{"pkg/update/release", "MaxCompatible", 64, "`-`, at most 64"},
		{"pkg/update/release", "maxCustom", 8192, "Its custom data, at most 8192"},
		{"pkg/update/release", "maxNotes", 2048, "words for people, at most 2048"},
		{"pkg/update/release", "maxCustom", 8192, "at most 8192 and 32 releases"},
		{"pkg/update/release", "MaxReleases", 32, "at most 8192 and 32 releases"},
		{"pkg/update/release", "maxWitnesses", 32, "At most 32 witnesses"},
		{"pkg/update/release", "MaxCheckpoint", 16384, "cosigned (cosignature/v1). At most 16384."},
		{"pkg/update/release", "maxSize", 1<<53 - 1, "A size is below 2^53"},
		{"pkg/update/release", "tileWidth", 256, "8192 for a tile, 131584 for a bundle of entries"}, // 256 times 32, and 2 + maxLeaf
		{"pkg/update/release", "maxLeaf", 512, "8192 for a tile, 131584 for a bundle of entries"},
		{"pkg/update/catalog", "maxRoot", 512000, "512000 of a root"},
		{"pkg/update/catalog", "maxTimestamp", 16384, "16384 of a timestamp"},
		{"pkg/update/catalog", "maxSnapshot", 2000000, "2000000 of a snapshot"},
		{"pkg/update/catalog", "maxTargets", 5000000, "5000000 of targets or rollout"},
		{"pkg/update/catalog", "fileTime", 2 * minute, "whole within two minutes"},
		{"pkg/update/catalog", "lookTime", 5 * minute, "must end within five"},
	} {
		if got, ok := numbers(t, l.folder).value(l.name); !ok || got != l.value {
			t.Errorf("%s: %s is %d, want %d: change %s and this list with it", l.folder, l.name, got, l.value, updatesFile)
		}
		if !strings.Contains(text, l.says) {
			t.Errorf("%s does not say %q, which is what %s holds to", updatesFile, l.says, l.folder)
		}
	}
}

// TestEveryShapeStandsInUpdates looks for the members of what is written as JSON.
func TestEveryShapeStandsInUpdates(t *testing.T) {
	var have []string
	for _, code := range inCode.FindAllString(readFile(t, updatesFile), -1) {
		have = append(have, word.FindAllString(code, -1)...)
	}
	n := 0
	for _, f := range parseFolder(t, "pkg/update/release") {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				spec, _ := s.(*ast.TypeSpec)
				for _, name := range jsonNames(t, spec) {
					if n++; !slices.Contains(have, name) {
						t.Errorf("%s has the member %q, which %s does not name", spec.Name.Name, name, updatesFile)
					}
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("found only %d members", n)
	}
}

// TestWhatIsInTheWayOfAnUpdateIsSaid looks in the code for the sentences that
// docs/operations.md explains.
func TestWhatIsInTheWayOfAnUpdateIsSaid(t *testing.T) {
	var code strings.Builder
	for _, folder := range []string{"pkg/update", "pkg/update/catalog", "pkg/update/download", "pkg/update/rauc"} {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if !strings.HasSuffix(path, "_test.go") {
				code.WriteString(readFile(t, strings.TrimPrefix(path, root+"/")))
			}
		}
	}
	_, table, _ := strings.Cut(readFile(t, "docs/operations.md"), "**What is in the way of an update**")
	table, _, _ = strings.Cut(table, "\n## ")
	n := 0
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| [^|]+ \|$`).FindAllStringSubmatch(table, -1) {
		if row[1] == "said" {
			continue // its head
		}
		said := regexp.MustCompile(`\d+\.\d+\.\d+`).ReplaceAllString(row[1], "%s")
		said = regexp.MustCompile(`\d+`).ReplaceAllString(said, "%d")
		if n++; !strings.Contains(code.String(), said) {
			t.Errorf("nothing in pkg/update says %q", said)
		}
	}
	if n < 6 {
		t.Errorf("found only %d sentences", n)
	}
}

// TestOperationsStatesTheLimitsOfUpdates holds the life of an update, as it is told to
// people, to the code.
func TestOperationsStatesTheLimitsOfUpdates(t *testing.T) {
	const day = 24 * 60 * minute
	text := strings.Join(strings.Fields(readFile(t, "docs/operations.md")), " ")
	for _, l := range []struct {
		name  string
		value int64
		says  string
	}{
		{"patience", 14 * day, "14 days after it was found"},
		{"patienceSecurity", 2 * day, "2 days if it closes a hole"},
		{"firstPoll", 5 * minute, "the first time within five minutes of the start"},
		{"unheard", 3 * day, "the condition `update` is degraded after 3 days"},
		{"proofTime", 10 * minute, "picture or store are not there within 10 minutes"},
		{"maxBoots", 3, "started more than 3 times"},
		{"maxBoots", 3, "after 6 starts"}, // twice as many
		{"restartTime", 5 * minute, "asked for again every 5 minutes"},
		{"firstPause", 60 * minute, "tried again after 1, 2, 4 … hours, up to a week"},
		{"maxPause", 7 * day, "tried again after 1, 2, 4 … hours, up to a week"},
		{"maxTries", 3, "tried 3 times"},
		{"maxFailed", 16, "The last 16 are remembered"},
		{"margin", 16 << 20, "there is room for it and 16 MB more"},
		{"later", 5 * minute, "tried again 5 minutes later"},
	} {
		if got, ok := numbers(t, "pkg/update").value(l.name); !ok || got != l.value {
			t.Errorf("%s is %d, want %d: change docs/operations.md and this list with it", l.name, got, l.value)
		}
		if !strings.Contains(text, l.says) {
			t.Errorf("docs/operations.md does not say %q", l.says)
		}
	}
}
