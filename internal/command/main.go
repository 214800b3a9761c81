package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// Main runs a command line until it ends, or must end because of Ctrl-C, SIGTERM, SIGHUP, or a
// closed standard output, and ends the process with the exit code.
func Main(execute func(ctx context.Context, args []string, out, errOut io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	ctx, cancel := context.WithCancel(ctx)
	// While SIGPIPE is asked for, a write to a pipe without a reader is an error only,
	// standard error's too. Nobody takes it from the channel, and children don't inherit it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := execute(ctx, os.Args[1:], &output{os.Stdout, cancel}, os.Stderr)
	cancel()
	stop()
	os.Exit(code)
}

// endings returns the signals after which the process ends cleanly. A signal that nohup ignores
// stays ignored.
func endings() []os.Signal {
	l := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		l = append(l, syscall.SIGHUP)
	}
	return l
}

// output is standard output. After its reader has closed it, as head does, output is dropped
// without an error, and the command ends.
type output struct {
	w   io.Writer
	end func()
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.end()
		return len(p), nil
	}
	return n, err
}

// Unwrap returns the underlying writer.
func (o *output) Unwrap() io.Writer { return o.w }

// Terminal reports whether a person sees what is written to w, through writers that
// unwrap.
func Terminal(w io.Writer) bool {
	f, ok := file(w)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// Size returns the size of the terminal that w writes to, through writers that unwrap. It
// returns false if there is none or its size is unknown.
func Size(w io.Writer) (columns, lines int, ok bool) {
	f, ok := file(w)
	if !ok {
		return 0, 0, false
	}
	columns, lines, err := term.GetSize(int(f.Fd())) //nolint:gosec // a file descriptor
	return columns, lines, err == nil && columns > 0 && lines > 0
}

// file returns the file that w writes to, through writers that unwrap.
func file(w io.Writer) (*os.File, bool) {
	for {
		u, ok := w.(interface{ Unwrap() io.Writer })
		if !ok {
			f, ok := w.(*os.File)
			return f, ok
		}
		w = u.Unwrap()
	}
}
