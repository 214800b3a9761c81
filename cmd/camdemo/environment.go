package main

import (
	"context"
	"log/slog"

	"github.com/camd-project/camd/internal/command"
)

// environment is what the demo gets from the process.
type environment struct {
	command.Output
	ctx context.Context
	log *slog.Logger
}
