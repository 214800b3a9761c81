package repotest

import (
	"go/ast"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wire are the packages whose JSON a peer, or someone who examines a device, reads.
var wire = []string{"pkg/proto", "pkg/auth", "pkg/auth/accesslog", "pkg/auth/envelope", "pkg/auth/pairing", "pkg/auth/record", "pkg/setup/ble", "cmd/camd"}

// notWire are structs with JSON names that never leave the device: what camd prints.
var notWire = []string{"madeIdentity"}

// TestEveryShapeStandsInTheProtocol finds each struct that is written as JSON: its
// comment cites the clauses that describe it, and these hold the name of each member. So a
// client can be written without these files.
func TestEveryShapeStandsInTheProtocol(t *testing.T) {
	p := readProtocol(t)
	n := 0
	for _, folder := range wire {
		for _, f := range parseFolder(t, folder) {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.TYPE {
					continue
				}
				for _, s := range g.Specs {
					spec, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if names := jsonNames(t, spec); len(names) > 0 && !slices.Contains(notWire, spec.Name.Name) {
						n++
						p.describes(t, folder+": "+spec.Name.Name, g.Doc.Text()+spec.Doc.Text(), names)
					}
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("found only %d shapes", n)
	}
}

// jsonNames are the names of a struct's own members; nil for what is no struct.
func jsonNames(t *testing.T, spec *ast.TypeSpec) (l []string) {
	t.Helper()
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		text, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(reflect.StructTag(text).Get("json"), ",")
		if name != "" && name != "-" {
			l = append(l, name)
		}
	}
	return l
}

// describes checks that the clauses which a comment cites hold these names.
func (p protocol) describes(t *testing.T, what, comment string, names []string) {
	t.Helper()
	var clauses, have []string
	for _, m := range named.FindAllStringSubmatch(strings.Join(strings.Fields(comment), " "), -1) {
		clauses = append(clauses, each.FindAllString(m[1], -1)...)
	}
	if len(clauses) == 0 {
		t.Errorf("%s has members with JSON names, and its comment cites no clause of %s", what, protocolFile)
		return
	}
	for _, c := range clauses {
		have = append(have, p.names(c)...)
	}
	for _, name := range names {
		if !slices.Contains(have, name) {
			t.Errorf("%s has the member %q, which %s %s does not name", what, name, protocolFile, strings.Join(clauses, ", "))
		}
	}
}
