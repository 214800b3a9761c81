package update

import (
	"log/slog"

	"github.com/camd-project/camd/pkg/health"
)

// Start makes an Updater as one start of a machine has it: its boot, its process, what
// happens after each durable write, and how much storage is free.
func Start(cfg Config, log *slog.Logger, board *health.Board, deps Deps, boot string, pid int, saved func() error, free uint64) (*Updater, error) {
	u, err := open(cfg, log, board, deps, boot, pid)
	if err == nil {
		u.saved, u.free = saved, func(string) (uint64, error) { return free, nil }
	}
	return u, err
}

// ParseState returns the parser of what a power cut or a hostile hand may have left.
func ParseState(text []byte) error {
	_, err := parseState(text)
	return err
}
