package command

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a command line until it ends, or is to end because of Ctrl-C or SIGTERM,
// and ends the process with its exit code.
func Main(execute func(ctx context.Context, args []string, out, errOut io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
