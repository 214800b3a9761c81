package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/auth/schedule"
)

// localFlags are shared by the commands that ask the running camd through its local
// socket.
type localFlags struct {
	configFlag
}

// ask sends one command and returns the answer.
func (f localFlags) ask(q adminRequest) (adminAnswer, error) {
	cfg, err := f.load()
	if err != nil {
		return adminAnswer{}, err
	}
	return ask(cfg.Device.Socket, q)
}

// dial connects to the running camd until ctx ends.
func (f localFlags) dial(ctx context.Context) (net.Conn, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	c, err := dial(cfg.Device.Socket)
	if err == nil {
		context.AfterFunc(ctx, func() { c.Close() }) //nolint:errcheck // nothing to lose
	}
	return c, err
}

// zone returns the household's time zone, in which times are printed.
func (f localFlags) zone() (*time.Location, error) {
	a, err := f.ask(adminRequest{Cmd: "settings"})
	if err != nil {
		return nil, err
	}
	loc, err := schedule.Zone(a.Settings.TimeZone)
	if err != nil { // camd counts in UTC then
		return time.UTC, nil //nolint:nilerr // there is a zone to show times in
	}
	return loc, nil
}

// ask sends one command to the camd that serves socket.
func ask(socket string, q adminRequest) (adminAnswer, error) {
	c, err := dial(socket)
	if err != nil {
		return adminAnswer{}, err
	}
	defer c.Close() //nolint:errcheck // nothing to lose
	_ = c.SetDeadline(time.Now().Add(adminPatience))
	line, err := json.Marshal(q)
	if err != nil {
		return adminAnswer{}, fmt.Errorf("write the command: %w", err)
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return adminAnswer{}, fmt.Errorf("camd on %s hung up; look at its log", socket)
	}
	var a adminAnswer
	if err := json.NewDecoder(bufio.NewReader(c)).Decode(&a); err != nil {
		return adminAnswer{}, fmt.Errorf("camd on %s gave no answer; look at its log", socket)
	}
	if !a.OK {
		return adminAnswer{}, errors.New(a.Error)
	}
	return a, nil
}

func dial(socket string) (net.Conn, error) {
	c, err := net.DialTimeout("unix", socket, adminPatience)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no camd is running on %s; start it with camd run", socket)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s is for root and the group camd; run this as one of them", socket)
	case err != nil:
		return nil, fmt.Errorf("reach camd on %s: %w", socket, err)
	}
	return c, nil
}

// typed asks for a word and reports whether it was typed.
func typed(env *environment, word string) bool {
	fmt.Fprintf(env.out, "Type %s to go on: ", word)
	line, err := bufio.NewReader(io.LimitReader(env.in, 64)).ReadString('\n')
	return err == nil && strings.TrimSpace(line) == word
}

// jsonFlag is shared by the commands that can print JSON.
type jsonFlag struct {
	JSON bool `arg:"--json" help:"print JSON"`
}
