// Command camdemo shows camd on one machine: it starts a broker and a camera, and serves the
// owner's page, by which whoever opens it pairs with the camera, watches it and lets others
// in, and the room that the camera is in. It is for trying out only: it is not released, and
// it removes all that it made when it ends.
//
// Exit codes: 0 ended by Ctrl-C, 1 failed (one sentence on standard error says why), 2
// wrong usage.
package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/foreign"
)

func main() { command.Main(execute) }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c demoCmd
	run, code := command.Parse[*environment]("camdemo", &c, args, out, errOut)
	if run == nil {
		return code
	}
	env := &environment{Output: command.Output{Out: foreign.Screen(out), ErrOut: foreign.Screen(errOut), JSON: c.JSON},
		ctx: ctx, log: slog.New(slog.DiscardHandler)}
	if c.Verbose {
		env.log = slog.New(slog.NewTextHandler(env.ErrOut, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return command.ExitCode("camdemo", run.Run(env), env.ErrOut)
}
