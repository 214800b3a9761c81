package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/home"
)

// version is set by the linker.
var version = "unknown"

// environment is what commands get from the process.
type environment struct {
	command.Output
	ctx     context.Context
	in      io.Reader
	raw     io.Writer // Out without a screen
	verbose bool
	dir     string // --home
	log     *slog.Logger
}

func (e *environment) home() (*home.Home, error) {
	dir := e.dir
	if dir == "" {
		var err error
		if dir, err = home.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return home.Open(dir)
}

// keys opens the home and reads the client's keys in it.
func (e *environment) keys() (*home.Home, *home.Keys, error) {
	h, err := e.home()
	if err != nil {
		return nil, nil, err
	}
	keys, err := h.Keys()
	return h, keys, err
}
