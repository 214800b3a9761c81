// Package command parses the command lines of camd and camctl alike: help and
// usage errors go where a person looks, with exit code 0 and 2. It ends nothing.
package command

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Parse reads args into grammar, a pointer to a struct with kong's tags. A nil
// context means that there is nothing to run: help was printed (code 0), or what
// is wrong with args (code 2).
func Parse(name, description string, grammar any, args []string, out, errOut io.Writer) (parsed *kong.Context, code int) {
	code = -1
	k, err := kong.New(grammar, kong.Name(name), kong.Description(description),
		kong.Writers(out, errOut), kong.Exit(func(n int) { code = n }))
	if err != nil {
		panic(err) // the grammar itself is wrong: any test finds it
	}
	parsed, err = k.Parse(args)
	switch {
	case code >= 0: // --help has been printed
		return nil, code
	case err != nil:
		_, _ = fmt.Fprintf(errOut, "%s: %v; see %s --help\n", name, err, name)
		return nil, 2
	}
	return parsed, 0
}
