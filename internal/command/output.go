package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/camd-project/camd/pkg/foreign"
)

// Usage is a mistake in the command line that the command itself has found.
type Usage string

func (u Usage) Error() string { return string(u) }

// ExitCode returns the exit code of the program name after err, and writes the reason
// to errOut.
func ExitCode(name string, err error, errOut io.Writer) int {
	var usage Usage
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintf(errOut, "%s: interrupted\n", name)
		return 1
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(errOut, "%s: %v; see %s --help\n", name, err, name)
		return 2
	}
	reason := strings.NewReplacer(".\n", ". ", "\n", "; ").Replace(err.Error()) // of several
	_, _ = fmt.Fprintf(errOut, "%s: %s\n", name, foreign.Line(reason))
	return 1
}

// Output is where a command writes for people, or JSON for programs.
type Output struct {
	Out, ErrOut io.Writer // each a foreign.Screen
	JSON        bool
}

// Print writes v as a line of JSON, or the text for people.
func (o Output) Print(v any, text string, args ...any) error {
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(v)
	}
	_, err := fmt.Fprintf(o.Out, text+"\n", inLine(args)...)
	return err
}

// Note writes a message for people. Programs that read JSON don't get it.
func (o Output) Note(text string, args ...any) {
	if !o.JSON {
		_, _ = fmt.Fprintf(o.ErrOut, text+"\n", inLine(args)...)
	}
}

// Lines is a text of several lines that may stay separate lines.
type Lines string

var oneLine = strings.NewReplacer("\n", `\u000a`, "\t", `\u0009`)

// inLine removes line breaks from each argument: a camera, or the maker of its card, could show
// lines of its own otherwise. The screen handles all other characters.
func inLine(args []any) []any {
	l := slices.Clone(args)
	for i, a := range l {
		switch v := a.(type) {
		case Lines:
		case error:
			l[i] = oneLine.Replace(v.Error())
		default:
			if s := reflect.ValueOf(a); s.Kind() == reflect.String {
				l[i] = oneLine.Replace(s.String())
			}
		}
	}
	return l
}
