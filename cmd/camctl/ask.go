package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/camd-project/camd/pkg/proto"
)

// confirm asks the person at the terminal. Anything but yes, and the end of the input, means
// no.
func (e *environment) confirm(question string) error {
	if _, err := fmt.Fprintf(e.ErrOut, "%s [y/N] ", question); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() { // a read from a terminal can't be ended; the process soon is
		line, _ := bufio.NewReader(io.LimitReader(e.in, 64)).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return errors.New("nothing was done, since it was not confirmed. Where nobody can be asked, compare the words first and use --yes")
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

// questions asks the person at the terminal.
type questions struct {
	env *environment
	in  *bufio.Reader
	tty int // file descriptor of the terminal; -1: there is none, and what is typed is shown
}

// questions returns nil if nobody can be asked.
func (e *environment) questions() *questions {
	f, ok := e.in.(*os.File)
	if !ok || e.JSON || !term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor
		return nil
	}
	return &questions{env: e, in: bufio.NewReader(f), tty: int(f.Fd())} //nolint:gosec // the same
}

func (q *questions) line(question string) (string, error) {
	if _, err := fmt.Fprint(q.env.ErrOut, question); err != nil {
		return "", err
	}
	text, err := q.answer(func() (string, error) { return q.in.ReadString('\n') })
	return strings.TrimSpace(text), err
}

// password is not shown while it is typed.
func (q *questions) password(question string) (proto.Secret, error) {
	if _, err := fmt.Fprint(q.env.ErrOut, question); err != nil {
		return "", err
	}
	if q.tty < 0 {
		text, err := q.answer(func() (string, error) { return q.in.ReadString('\n') })
		return proto.Secret(text), err
	}
	before, err := term.GetState(q.tty)
	if err != nil {
		return "", fmt.Errorf("the terminal can't be used: %w", err)
	}
	defer func() { _ = term.Restore(q.tty, before) }() // Ctrl-C comes while the echo is off
	text, err := q.answer(func() (string, error) {
		b, err := term.ReadPassword(q.tty)
		return string(b), err
	})
	_, _ = fmt.Fprintln(q.env.ErrOut)
	return proto.Secret(text), err
}

// answer waits for read, which can't be interrupted, or until the process ends.
func (q *questions) answer(read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := read()
		got <- result{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			return "", errors.New("nothing was done, since nothing was answered")
		}
		return r.text, nil
	case <-q.env.ctx.Done():
		return "", q.env.ctx.Err()
	}
}
