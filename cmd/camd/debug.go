package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/logging"
)

// Bounds of a profile of the processor, in seconds.
const (
	debugSeconds    = 10
	maxDebugSeconds = 60
)

// insight lets root look into the camd that runs, one at a time. docs/protocol.md 10.8.
type insight struct {
	log   *logging.Log
	level string                      // that is configured
	uid   func(net.Conn) (int, error) // of who is at the other end
	busy  sync.Mutex
}

// show answers with a line and then with what was asked for, until the connection ends.
// Whoever is in the group camd may decide about the household, but not look into memory.
func (i *insight) show(ctx context.Context, c net.Conn, q adminRequest) {
	if uid, err := i.uid(c); err != nil || uid != 0 {
		answer(c, adminAnswer{Error: "camd debug is for root only: run it with sudo"})
		return
	}
	if !i.busy.TryLock() {
		answer(c, adminAnswer{Error: "another camd debug is under way; try again when it has ended"})
		return
	}
	defer i.busy.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = c.SetDeadline(time.Time{})
	go func() { // ends with the connection, which the caller closes
		_, _ = c.Read(make([]byte, 1))
		cancel()
	}()
	show, err := i.what(q)
	if err != nil {
		answer(c, adminAnswer{Error: err.Error()})
		return
	}
	answer(c, adminAnswer{OK: true})
	_ = show(ctx, patient{c}) // who does not take it loses only that
}

// what finds what is to be shown.
func (i *insight) what(q adminRequest) (func(context.Context, io.Writer) error, error) {
	switch {
	case q.What == "log" && q.Level == "":
		return func(_ context.Context, w io.Writer) error { return i.log.Recent(w) }, nil
	case q.What == "log":
		if err := i.log.SetLevel(q.Level); err != nil {
			return nil, err
		}
		return func(ctx context.Context, w io.Writer) error {
			defer i.log.SetLevel(i.level) //nolint:errcheck // it was accepted before
			return i.log.Follow(ctx, w)
		}, nil
	case q.What == "goroutines":
		return func(_ context.Context, w io.Writer) error { _, err := w.Write(stacks()); return err }, nil
	case q.What == "heap":
		return func(_ context.Context, w io.Writer) error {
			runtime.GC() // so that it shows what is used now
			return pprof.Lookup("heap").WriteTo(w, 0)
		}, nil
	case q.What == "cpu" && q.Seconds >= 0 && q.Seconds <= maxDebugSeconds:
		return func(ctx context.Context, w io.Writer) error { return processor(ctx, w, q.Seconds) }, nil
	case q.What == "cpu":
		return nil, fmt.Errorf("a profile of the processor takes 1 to %d seconds", maxDebugSeconds)
	}
	return nil, errors.New("debug takes what: log, goroutines, heap or cpu")
}

func processor(ctx context.Context, w io.Writer, seconds int) error {
	if seconds == 0 {
		seconds = debugSeconds
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-ctx.Done():
	}
	return nil
}

// patient gives each write its own time.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(adminPatience))
	return p.Conn.Write(b)
}

type debugCmd struct {
	configFlag
	Level   string `arg:"--level" help:"log: go on until Ctrl-C, with this level meanwhile: debug, info, warn or error" placeholder:"LEVEL"`
	Seconds int    `arg:"--seconds" help:"cpu: how long, 1 to 60 (default: 10)" placeholder:"N"`
	Out     string `arg:"-o" help:"heap, cpu: the file to make" placeholder:"FILE"`
	What    string `arg:"positional,required" help:"log: the last lines; goroutines: where each stands; heap, cpu: a profile for go tool pprof" placeholder:"log|goroutines|heap|cpu"`
}

// Run shows what the running camd is about.
func (d debugCmd) Run(env *environment) error {
	cfg, err := d.load()
	if err != nil {
		return err
	}
	profile := d.What == "heap" || d.What == "cpu"
	if profile && d.Out == "" && command.Terminal(env.raw) {
		return errors.New("a profile is nothing to look at: name a file with -o")
	}
	c, err := net.DialTimeout("unix", cfg.Device.Socket, adminPatience)
	if err != nil {
		return explainDial(cfg.Device.Socket, err)
	}
	defer c.Close()                                          //nolint:errcheck // nothing to lose
	defer context.AfterFunc(env.ctx, func() { c.Close() })() //nolint:errcheck // nothing to lose
	shown, err := d.ask(c)
	if err != nil {
		return err
	}
	switch {
	case d.Out != "":
		return d.save(shown)
	case profile:
		_, err = io.Copy(env.raw, shown)
	default:
		err = copyLines(env.out, shown)
	}
	if err != nil && env.ctx.Err() == nil {
		return fmt.Errorf("it was not all shown: %w", err)
	}
	return nil
}

// ask returns what follows camd's answer.
func (d debugCmd) ask(c net.Conn) (*bufio.Reader, error) {
	if err := json.NewEncoder(c).Encode(adminRequest{Cmd: "debug", What: d.What, Level: d.Level, Seconds: d.Seconds}); err != nil {
		return nil, errors.New("camd hung up; look at its log")
	}
	r := bufio.NewReader(c)
	line, err := r.ReadBytes('\n')
	var a adminAnswer
	if err != nil || json.Unmarshal(line, &a) != nil {
		return nil, errors.New("camd gave no answer; look at its log")
	}
	if !a.OK {
		return nil, errors.New(a.Error)
	}
	return r, nil
}

// copyLines copies text whole lines at a time: the screen takes no half characters.
func copyLines(w io.Writer, r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if _, failed := io.WriteString(w, line); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// save makes the file, and replaces none.
func (d debugCmd) save(shown io.Reader) error {
	f, err := os.OpenFile(d.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already; name another file", d.Out)
	}
	if err != nil {
		return fmt.Errorf("no file can be made: %w", err)
	}
	_, err = io.Copy(f, shown)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(d.Out) // it is of no use
		return fmt.Errorf("%s can't be written: %w", d.Out, err)
	}
	return nil
}
