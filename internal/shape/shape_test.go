package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

func TestShape(t *testing.T) {
	set := token.NewFileSet()
	var files []*ast.File
	for name, text := range map[string]string{
		"top.go": `package p
			func Run(b box[int]) { once(); twice(); twice(); b.get() }`,
		"middle.go": `package p
			func once() { limit++ }
			func twice() {}
			func unused() {}`,
		"bottom.go": `package p
			var limit int
			type box[T any] struct{ t T }
			func (b box[T]) get() T { once(); return b.t }`,
	} {
		f, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := new(types.Config).Check("p", set, files, info); err != nil {
		t.Fatal(err)
	}
	if n, unexported := crumbs(set, files, info); n != 1 || unexported != 4 { // get; once is used twice
		t.Errorf("%d crumbs of %d, want 1 of 4", n, unexported)
	}
	if n := upward(arrows(set, info)); n != 1 { // between middle and bottom
		t.Errorf("%d arrows up, want 1", n)
	}
}

func TestUpward(t *testing.T) {
	to := func(files ...string) map[string]bool {
		m := map[string]bool{}
		for _, f := range files {
			m[f] = true
		}
		return m
	}
	for name, c := range map[string]struct {
		graph map[string]map[string]bool
		want  int
	}{
		"nothing":              {nil, 0},
		"a chain":              {map[string]map[string]bool{"c": to("a"), "a": to("b")}, 0},
		"a diamond":            {map[string]map[string]bool{"a": to("b", "c"), "b": to("d"), "c": to("d")}, 0},
		"a cycle":              {map[string]map[string]bool{"a": to("b"), "b": to("c"), "c": to("a")}, 1},
		"each uses each other": {map[string]map[string]bool{"a": to("b", "c"), "b": to("a", "c"), "c": to("a", "b")}, 3},
	} {
		if got := upward(c.graph); got != c.want {
			t.Errorf("%s: %d arrows up, want %d", name, got, c.want)
		}
	}
}
