// Command shape measures how readable packages are. For each package it prints the number
// of files, lines and functions, the lengths of the functions, the number of crumbs, and
// the number of arrows between files that point up.
//
//	go run ./internal/shape [PACKAGES]
//
// PACKAGES are patterns for the go command; the default is ./pkg/... ./cmd/...
// Test files and packages that only tests import are not counted.
//
// A crumb is an unexported function or method of at most 12 lines that its package refers
// to exactly once, so that it could be a part of its caller. An arrow leads from a file to
// another file of the same package if the first uses a constant, variable, type, function,
// method or field that the second declares. If files are ordered so that most arrows point
// down, the remaining ones point up; see [upward].
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

const crumbLines = 12

func main() {
	patterns := os.Args[1:]
	if len(patterns) == 0 {
		patterns = []string{"./pkg/...", "./cmd/..."}
	}
	for i, p := range patterns {
		if _, err := os.Stat(p); err == nil && filepath.IsLocal(p) {
			patterns[i] = "./" + p // else the go command looks for it in the standard library
		}
	}
	if err := report(os.Stdout, patterns); err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
		os.Exit(1)
	}
}

// listed is a package as go list prints it.
type listed struct {
	ImportPath, Dir, Export           string
	GoFiles, CgoFiles, IgnoredGoFiles []string
	DepOnly                           bool
	Module                            *struct{ Path string }
}

func report(w io.Writer, patterns []string) error {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-export", "-json"}, patterns...)...) //nolint:gosec // the patterns are the arguments of whoever runs it
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	exports := map[string]string{}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			return err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && !strings.HasSuffix(p.ImportPath, "test") {
			packages = append(packages, p)
		}
	}
	slices.SortFunc(packages, func(a, b listed) int { return strings.Compare(a.ImportPath, b.ImportPath) })

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "files\tlines\tfunctions\tp50\tp90\tcrumbs\tof unexported\tarrows up\t package")
	var sum shape
	for _, p := range packages {
		s, err := measure(p, exports)
		if err != nil {
			return err
		}
		s.print(t, strings.TrimPrefix(p.ImportPath, p.Module.Path+"/"))
		sum.add(s)
	}
	sum.print(t, "total")
	return t.Flush()
}

// shape holds the numbers of one package, or of several.
type shape struct {
	files, lines               int
	lengths                    []int // of functions, in lines
	crumbs, unexported, arrows int
}

func (s *shape) add(o shape) {
	s.files += o.files
	s.lines += o.lines
	s.lengths = append(s.lengths, o.lengths...)
	s.crumbs += o.crumbs
	s.unexported += o.unexported
	s.arrows += o.arrows
}

func (s shape) print(w io.Writer, name string) {
	slices.Sort(s.lengths)
	percentile := func(p int) int {
		if len(s.lengths) == 0 {
			return 0
		}
		return s.lengths[(len(s.lengths)-1)*p/100]
	}
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t %s\n", s.files, s.lines, len(s.lengths),
		percentile(50), percentile(90), s.crumbs, s.unexported, s.arrows, name)
}

// measure counts files, lines and functions for all operating systems, and crumbs and
// arrows for the current one.
func measure(p listed, exports map[string]string) (shape, error) {
	var s shape
	set := token.NewFileSet()
	var checked []*ast.File
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return s, err
		}
		s.files++
		s.lines += set.File(f.Pos()).LineCount() - 1 // the last one is empty
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				s.lengths = append(s.lengths, lines(set, fn))
			}
		}
		if !slices.Contains(p.IgnoredGoFiles, name) {
			checked = append(checked, f)
		}
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{
		FakeImportC: true,
		Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
			return os.Open(exports[path])
		}),
	}
	if _, err := config.Check(p.ImportPath, set, checked, info); err != nil {
		return s, err
	}
	s.crumbs, s.unexported = crumbs(set, checked, info)
	s.arrows = upward(arrows(set, info))
	return s, nil
}

func lines(set *token.FileSet, n ast.Node) int {
	return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
}

// crumbs returns the number of crumbs, and of all unexported functions and methods.
func crumbs(set *token.FileSet, files []*ast.File, info *types.Info) (n, unexported int) {
	uses := map[types.Object]int{}
	for _, o := range info.Uses {
		if f, ok := o.(*types.Func); ok {
			uses[f.Origin()]++
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.IsExported() || fn.Name.Name == "main" || fn.Name.Name == "init" {
				continue
			}
			unexported++
			if lines(set, fn) <= crumbLines && uses[info.Defs[fn.Name]] == 1 {
				n++
			}
		}
	}
	return n, unexported
}

// arrows returns, for each file of a package, the other files whose declarations it uses.
func arrows(set *token.FileSet, info *types.Info) map[string]map[string]bool {
	declared := map[types.Object]string{}
	for id, o := range info.Defs {
		if o == nil || o.Pkg() == nil {
			continue
		}
		field, _ := o.(*types.Var)
		method, _ := o.(*types.Func)
		if o.Parent() == o.Pkg().Scope() || method != nil || field != nil && field.IsField() {
			declared[o] = set.Position(id.Pos()).Filename
		}
	}
	graph := map[string]map[string]bool{}
	for id, o := range info.Uses {
		switch x := o.(type) {
		case *types.Func:
			o = x.Origin()
		case *types.Var:
			o = x.Origin()
		}
		from, to := set.Position(id.Pos()).Filename, declared[o]
		if to == "" || from == to {
			continue
		}
		if graph[from] == nil {
			graph[from] = map[string]bool{}
		}
		graph[from][to] = true
	}
	return graph
}
