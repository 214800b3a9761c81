// Package command is what camd, camctl, camops and camdemo have in common: it parses command
// lines, writes the output of commands, and ends the process with the exit code.
package command

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alexflint/go-arg"
)

// Runner is a subcommand. E is the environment of the program.
type Runner[E any] interface{ Run(env E) error }

// Parse reads args into grammar, a pointer to a struct with go-arg's tags. It or its
// subcommands are Runners. A nil Runner means that there is nothing to run: help
// was printed (code 0), or what is wrong with args (code 2).
func Parse[E any](name string, grammar any, args []string, out, errOut io.Writer) (r Runner[E], code int) {
	p, err := arg.NewParser(arg.Config{Program: name, IgnoreEnv: true}, grammar)
	if err != nil {
		panic(err) // the grammar itself is wrong: any test finds it
	}
	err = p.Parse(args)
	if errors.Is(err, arg.ErrHelp) {
		if err := p.WriteHelpForSubcommand(out, p.SubcommandNames()...); err != nil {
			return nil, 1
		}
		return nil, 0
	}
	r, ok := p.Subcommand().(Runner[E])
	if !ok {
		r, _ = grammar.(Runner[E])
	}
	if err == nil && r == nil {
		err = fmt.Errorf("expected one of %s", strings.Join(subcommands(grammar, p.SubcommandNames()), ", "))
	}
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "%s: %v; see %s --help\n", name, err, name)
		return nil, 2
	}
	return r, 0
}

// subcommands lists what may follow the names that were given.
func subcommands(grammar any, given []string) (names []string) {
	t := reflect.TypeOf(grammar).Elem()
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := strings.CutPrefix(f.Tag.Get("arg"), "subcommand:")
		switch {
		case !ok:
		case len(given) == 0:
			names = append(names, name)
		case name == given[0]:
			return subcommands(reflect.New(f.Type.Elem()).Interface(), given[1:])
		}
	}
	return names
}
