package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one key, as the struct tags of a Config type declare it.
type field struct {
	key   string // TOML key
	doc   string // one line for the example file
	allow string // "1..120" for numbers, "a|b" for strings, "" for anything of the type
	typ   reflect.Type
	index int
}

// fields returns the keys of one table.
func fields(t reflect.Type) []field {
	var l []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("toml") == "-" { // not in files
			continue
		}
		l = append(l, field{
			key: f.Tag.Get("toml"), doc: f.Tag.Get("doc"), allow: f.Tag.Get("allow"), typ: f.Type, index: i,
		})
	}
	return l
}

// find follows a dotted path of keys and array elements.
func find(t reflect.Type, path []string) (field, []string, bool) {
	l := fields(t)
	i := slices.IndexFunc(l, func(f field) bool { return f.key == path[0] })
	if i < 0 {
		return field{}, keys(l), false
	}
	if len(path) == 1 {
		return l[i], nil, true
	}
	next := l[i].typ
	if next.Kind() == reflect.Slice {
		next = next.Elem()
	}
	if next.Kind() != reflect.Struct {
		return field{}, []string{l[i].key + " = " + l[i].allowed()}, false
	}
	return find(next, path[1:])
}

func keys(l []field) []string {
	names := make([]string, len(l))
	for i, f := range l {
		names[i] = f.key
	}
	return names
}

// allowed describes the values that the key takes.
func (f field) allowed() string {
	switch f.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		what := "a whole number"
		if f.typ.Kind() == reflect.Float64 {
			what = "a number"
		}
		if low, high, ok := strings.Cut(f.allow, ".."); ok {
			return what + " from " + low + " to " + high
		}
		return what
	case reflect.String:
		if f.allow != "" {
			return `one of "` + strings.ReplaceAll(f.allow, "|", `", "`) + `"`
		}
		return "a text in quotes"
	case reflect.Slice:
		if f.typ.Elem().Kind() == reflect.Struct {
			return "a list of tables with " + strings.Join(keys(fields(f.typ.Elem())), ", ")
		}
		return "a list of texts in quotes"
	default:
		return "a table with " + strings.Join(keys(fields(f.typ)), ", ")
	}
}

// accepts checks a decoded value against allow.
func (f field) accepts(v reflect.Value) bool {
	if f.allow == "" {
		return true
	}
	switch v.Kind() {
	case reflect.String:
		return slices.Contains(strings.Split(f.allow, "|"), v.String())
	case reflect.Int:
		low, high := f.bounds()
		return low <= float64(v.Int()) && float64(v.Int()) <= high
	case reflect.Float64:
		low, high := f.bounds()
		return low <= v.Float() && v.Float() <= high
	}
	return true
}

// bounds panics on a wrong tag, which is a mistake in the program that any test finds.
func (f field) bounds() (low, high float64) {
	a, b, _ := strings.Cut(f.allow, "..")
	low, errLow := strconv.ParseFloat(a, 64)
	high, errHigh := strconv.ParseFloat(b, 64)
	if errLow != nil || errHigh != nil {
		panic(fmt.Sprintf("config: key %s has the wrong allow tag %q", f.key, f.allow))
	}
	return low, high
}
