package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
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
