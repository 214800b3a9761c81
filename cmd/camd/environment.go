package main

import (
	"context"
	"io"
	"strings"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/logging"
)

// version and built, Unix seconds of the newest change, are set by the linker.
var (
	version = "unknown"
	built   string
)

// environment is what commands get from the process.
type environment struct {
	ctx context.Context
	in  io.Reader
	out io.Writer // a foreign.Screen
	raw io.Writer // the same without one
	log *logging.Log
}

// oneLine returns the text of an error, with others' words in it made harmless.
func oneLine(err error) string { return foreign.Line(strings.ReplaceAll(err.Error(), "\n", " ")) }

// codedError is an error with an exit code of its own.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
