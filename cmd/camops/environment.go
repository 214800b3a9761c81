package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// version is set by the linker.
var version = "unknown"

// environment is what commands get from the process.
type environment struct {
	ctx context.Context
	in  io.Reader
	out io.Writer
}

// say prints lines for a person.
func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

// readSmall reads a file that a person named.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", path, errors.Unwrap(err))
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", path, err)
	}
	return data, nil
}
