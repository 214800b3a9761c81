package client

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logFactory sends pion's warnings to the log instead of standard error.
type logFactory struct{ log *slog.Logger }

// NewLogger makes the logger of one part of pion.
func (f logFactory) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{f.log.With("scope", scope)}
}

type pionLogger struct{ log *slog.Logger }

func (l pionLogger) warn(msg string) { l.log.Debug("webrtc", "message", msg) }

func (pionLogger) Trace(string)               {}
func (pionLogger) Tracef(string, ...any)      {}
func (pionLogger) Debug(string)               {}
func (pionLogger) Debugf(string, ...any)      {}
func (pionLogger) Info(string)                {}
func (pionLogger) Infof(string, ...any)       {}
func (l pionLogger) Warn(msg string)          { l.warn(msg) }
func (l pionLogger) Warnf(f string, a ...any) { l.warn(fmt.Sprintf(f, a...)) }
func (l pionLogger) Error(msg string)         { l.warn(msg) }

// Errorf is for what pion calls an error; what matters ends the session.
func (l pionLogger) Errorf(f string, a ...any) { l.warn(fmt.Sprintf(f, a...)) }
