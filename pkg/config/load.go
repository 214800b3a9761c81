package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile is far above any real configuration, so that a wrong path (a device, a log) is not
// read completely.
const maxFile = 1 << 20

// Problem is one mistake in a configuration file.
type Problem struct {
	File string
	Line int // from 1; 0 if it is unknown
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Error holds all mistakes in a file, in the order of their lines.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads a TOML 1.0 file over the defaults. Unknown keys and wrong values are
// refused: the error is an *Error with file, line and what is allowed.
func Load(path string) (Config, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, &Error{[]Problem{{File: path, Text: "there is no such file: camd config prints one to begin with; --config names another place"}}}
	}
	if err != nil {
		return Config{}, &Error{[]Problem{{File: path, Text: "can't be read: " + reason(err)}}}
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, &Error{[]Problem{{File: path, Text: "can't be read: " + reason(err)}}}
	}
	c := Default()
	if problems := parse(text, &c); len(problems) > 0 {
		for i := range problems {
			problems[i].File = path
		}
		return Config{}, &Error{problems}
	}
	return c, nil
}

func reason(err error) string {
	if pe := new(os.PathError); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// parse decodes text over into, a pointer to a struct.
func parse(text []byte, into any) []Problem {
	if len(text) > maxFile {
		return []Problem{{Text: "is larger than 1 MiB, so it is no configuration"}}
	}
	d := &document{text: text, schema: reflect.TypeOf(into).Elem(), lines: map[string]int{}, tables: map[string]int{}}
	d.walk()
	// go-toml checks types and syntax, but ignores unknown keys.
	if err := toml.Unmarshal(text, into); err != nil {
		d.problems = append(d.problems, d.explain(err))
	} else {
		d.check("", reflect.ValueOf(into).Elem())
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
	return d.problems
}

// document is the state of parse.
type document struct {
	text     []byte
	schema   reflect.Type
	lines    map[string]int // of each key, by path: "live.ice_servers.0.urls"
	tables   map[string]int // elements seen of each array of tables
	problems []Problem
}

// walk notes the line of every key, and reports keys that are not in the schema.
func (d *document) walk() {
	var p unstable.Parser
	p.Reset(d.text)
	var plain, indexed []string // the present table
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			line := d.line(&p, e)
			plain = path(e)
			indexed = plain
			if e.Kind == unstable.ArrayTable {
				name := strings.Join(plain, ".")
				indexed = append(slices.Clone(plain), fmt.Sprint(d.tables[name]))
				d.tables[name]++
			}
			d.known(plain, indexed, line)
		case unstable.KeyValue:
			d.keyValue(&p, e, plain, indexed)
		}
	}
}

func (d *document) keyValue(p *unstable.Parser, e *unstable.Node, plain, indexed []string) {
	line := d.line(p, e)
	k := path(e)
	plain = slices.Concat(plain, k)
	indexed = slices.Concat(indexed, k)
	if !d.known(plain, indexed, line) {
		return
	}
	switch v := e.Value(); v.Kind {
	case unstable.InlineTable:
		d.inline(p, v, plain, indexed)
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); {
			if n := it.Node(); n.Kind == unstable.InlineTable {
				d.inline(p, n, plain, slices.Concat(indexed, []string{fmt.Sprint(i)}))
				i++
			}
		}
	}
}

func (d *document) inline(p *unstable.Parser, table *unstable.Node, plain, indexed []string) {
	for it := table.Children(); it.Next(); {
		d.keyValue(p, it.Node(), plain, indexed)
	}
}

// known notes a key's line, or that there is no such key.
func (d *document) known(plain, indexed []string, line int) bool {
	_, allowed, ok := find(d.schema, plain)
	if !ok {
		d.problems = append(d.problems, Problem{Line: line, Text: fmt.Sprintf(
			"unknown key %q; allowed here: %s", strings.Join(plain, "."), strings.Join(allowed, ", "))})
		return false
	}
	d.lines[strings.Join(indexed, ".")] = line
	return true
}

func path(e *unstable.Node) []string {
	var l []string
	for it := e.Key(); it.Next(); {
		l = append(l, string(it.Node().Data))
	}
	return l
}

// line returns the line of an expression's key.
func (d *document) line(p *unstable.Parser, e *unstable.Node) int {
	it := e.Key()
	if !it.Next() {
		return 0
	}
	return p.Shape(it.Node().Raw).Start.Line
}

// explain returns the problem for an error of go-toml.
func (d *document) explain(err error) Problem {
	de := new(toml.DecodeError)
	if !errors.As(err, &de) {
		return Problem{Text: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	line, _ := de.Position()
	if k := de.Key(); len(k) > 0 {
		if f, _, ok := find(d.schema, k); ok {
			return Problem{Line: line, Text: fmt.Sprintf("%s must be %s; the line says: %s",
				strings.Join(k, "."), f.allowed(), d.source(line))}
		}
	}
	return Problem{Line: line, Text: fmt.Sprintf("not TOML: %s; the line says: %s",
		strings.TrimPrefix(de.Error(), "toml: "), d.source(line))}
}

func (d *document) source(line int) string {
	lines := bytes.Split(d.text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	return fmt.Sprintf("%.120s", bytes.TrimSpace(lines[line-1]))
}

// check checks every value against its allow tag.
func (d *document) check(prefix string, v reflect.Value) {
	for _, f := range fields(v.Type()) {
		p, fv := prefix+f.key, v.Field(f.index)
		switch {
		case fv.Kind() == reflect.Struct:
			d.check(p+".", fv)
		case fv.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
			for i := range fv.Len() {
				d.check(fmt.Sprintf("%s.%d.", p, i), fv.Index(i))
			}
		case !f.accepts(fv):
			got := fmt.Sprint(fv.Interface())
			if fv.Kind() == reflect.String {
				got = fmt.Sprintf("%.80q", fv.String())
			}
			d.problems = append(d.problems, Problem{Line: d.lines[p], Text: fmt.Sprintf("%s must be %s, not %s", p, f.allowed(), got)})
		}
	}
}
