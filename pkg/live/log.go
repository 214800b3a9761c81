package live

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/pion/logging"
)

// logFactory sends pion's warnings to camd's log at debug level, and keeps
// those of a session that tell why a relay can't be had: pion reports that nowhere else.
type logFactory struct {
	log   *slog.Logger
	relay *relayTrouble
}

// NewLogger makes the logger of one part of pion.
func (f logFactory) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{f.log.With("scope", scope), f.relay}
}

type pionLogger struct {
	log   *slog.Logger
	relay *relayTrouble
}

func (l pionLogger) warn(msg string) {
	l.relay.note(msg)
	l.log.Debug("webrtc", "message", msg)
}

func (pionLogger) Trace(string)               {}
func (pionLogger) Tracef(string, ...any)      {}
func (pionLogger) Debug(string)               {}
func (pionLogger) Debugf(string, ...any)      {}
func (pionLogger) Info(string)                {}
func (pionLogger) Infof(string, ...any)       {}
func (l pionLogger) Warn(msg string)          { l.warn(msg) }
func (l pionLogger) Warnf(f string, a ...any) { l.warn(fmt.Sprintf(f, a...)) }
func (l pionLogger) Error(msg string)         { l.warn(msg) }

// Errorf is for what pion calls an error; none of it is one of camd.
func (l pionLogger) Errorf(f string, a ...any) { l.warn(fmt.Sprintf(f, a...)) }

// relayTrouble keeps what was said about relays, each message once.
type relayTrouble struct {
	mu   sync.Mutex
	said []string
}

const maxTrouble = 8 // messages

func (r *relayTrouble) note(msg string) {
	if !strings.Contains(msg, "relay") && !strings.Contains(msg, "TURN") && !strings.Contains(msg, "TCP address") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) < maxTrouble && !slices.Contains(r.said, msg) {
		r.said = append(r.said, msg)
	}
}

func (r *relayTrouble) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.said, "; ")
}
