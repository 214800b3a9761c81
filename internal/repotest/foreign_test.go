package repotest

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutputGoesOverTheScreen keeps closed what foreign.Screen closes: a command prints
// to what it was given, which its execute has put the screen over.
func TestOutputGoesOverTheScreen(t *testing.T) {
	allowed := map[string]string{
		"internal/command/main.go":            "where the process begins",
		"cmd/camd/run.go":                     "a crash report, of camd's own stacks",
		"pkg/auth/schedule/zonetable/main.go": "a generator that runs at build time",
		"pkg/auth/naming/table/main.go":       "another",
		"internal/shape/main.go":              "a measure for developers",
	}
	screens := map[string]int{}
	eachGoFile(t, func(path string, f *ast.File, set *token.FileSet) {
		if under(path, "test") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + sel.Sel.Name
			switch {
			case name == "foreign.Screen":
				screens[path]++
			case name == "os.Stdout" || name == "os.Stderr" || x.Name == "fmt" && strings.HasPrefix(sel.Sel.Name, "Print"):
				if allowed[path] == "" {
					t.Errorf("%s uses %s: print to the command's own output", set.Position(n.Pos()), name)
				}
			}
			return true
		})
	})
	for _, path := range []string{"cmd/camd/main.go", "cmd/camctl/main.go", "cmd/camdemo/main.go", "cmd/camops/main.go"} {
		if screens[path] != 2 {
			t.Errorf("%s puts %d screens over its outputs, want 2", path, screens[path])
		}
	}
}

// TestThePageShowsTextAsText keeps markup out of what cameras and members wrote.
func TestThePageShowsTextAsText(t *testing.T) {
	var files []string
	for _, folder := range []string{"web", "cmd/camdemo/room", "web/setup", "web/src", "web/src/core", "web/src/ui"} {
		l, err := filepath.Glob(filepath.Join(root, folder, "*.js"))
		if err != nil || len(l) == 0 {
			t.Fatal(folder, err)
		}
		files = append(files, l...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"innerHTML", "outerHTML", "unsafeHTML", "unsafeSVG", "unsafeStatic", "insertAdjacentHTML", "setHTMLUnsafe", "document.write", "DOMParser", "createContextualFragment", "eval(", "new Function"} {
			if strings.Contains(string(text), way) {
				t.Errorf("%s uses %s: others' text is for textContent", file, way)
			}
		}
	}
}
