package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Example writes the built-in defaults as a commented TOML file: the one that is
// shipped as /etc/camd/camd.toml.
func Example() string {
	var b strings.Builder
	b.WriteString("# camd's configuration (TOML 1.0). Every value here is the built-in default, so\n" +
		"# whatever you leave out stays as it is. `camd check --config FILE` explains it.\n")
	table(&b, "", reflect.ValueOf(Default()))
	return b.String()
}

// table writes the keys of one table, then the tables in it, as TOML wants it.
func table(b *strings.Builder, name string, v reflect.Value) {
	for _, f := range fields(v.Type()) {
		if f.typ.Kind() != reflect.Struct {
			key(b, name, f, v.Field(f.index))
		}
	}
	for _, f := range fields(v.Type()) {
		if f.typ.Kind() == reflect.Struct {
			inner := strings.TrimPrefix(name+"."+f.key, ".")
			fmt.Fprintf(b, "\n# %s\n[%s]\n", f.doc, inner)
			table(b, inner, v.Field(f.index))
		}
	}
}

func key(b *strings.Builder, name string, f field, v reflect.Value) {
	fmt.Fprintf(b, "# %s\n", f.doc)
	if f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct {
		fmt.Fprintf(b, "# [[%s.%s]]\n", name, f.key)
		for _, e := range fields(f.typ.Elem()) {
			fmt.Fprintf(b, "#   %s = %s   # %s\n", e.key, zero(e), e.doc)
		}
		return
	}
	if f.allow != "" {
		fmt.Fprintf(b, "# (%s)\n", f.allowed())
	}
	switch l, _ := v.Interface().([]string); {
	case v.Kind() == reflect.String:
		fmt.Fprintf(b, "%s = %q\n", f.key, v.String())
		return
	case len(l) > 0:
		fmt.Fprintf(b, "%s = [\"%s\"]\n", f.key, strings.Join(l, `", "`)) // none has anything to escape
		return
	}
	fmt.Fprintf(b, "%s = %v\n", f.key, v.Interface())
}

func zero(f field) string {
	switch f.typ.Kind() {
	case reflect.String:
		return `""`
	case reflect.Slice:
		return `[""]`
	}
	return fmt.Sprint(reflect.Zero(f.typ))
}
