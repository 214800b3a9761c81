package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/camd-project/camd/internal/command"
)

type debugCmd struct {
	localFlags
	Level   string `arg:"--level" help:"log: go on until Ctrl-C, with this level meanwhile: debug, info, warn or error" placeholder:"LEVEL"`
	Seconds int    `arg:"--seconds" help:"cpu: how long, 1 to 60 (default: 10)" placeholder:"N"`
	Out     string `arg:"-o" help:"heap, cpu: the file to make" placeholder:"FILE"`
	What    string `arg:"positional,required" help:"log: the last lines; goroutines: where each stands; heap, cpu: a profile for go tool pprof" placeholder:"log|goroutines|heap|cpu"`
}

// Run shows what the running camd is about.
func (d debugCmd) Run(env *environment) error {
	profile := d.What == "heap" || d.What == "cpu"
	if profile && d.Out == "" && command.Terminal(env.raw) {
		return errors.New("a profile is nothing to look at: name a file with -o")
	}
	c, err := d.dial(env.ctx)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing to lose
	shown, err := d.show(c)
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

// show returns what follows camd's answer.
func (d debugCmd) show(c net.Conn) (*bufio.Reader, error) {
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
