// Package logging writes camd's log in a way that can never block or end camd. Lines wait in
// a bounded queue, which one goroutine writes to standard error; lines that do not fit are
// dropped, counted, and reported in a line. The last lines are kept in memory, for people who
// inspect a running camd. It owns the writer, the level and that goroutine.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
)

// Bounds, in lines unless said otherwise.
const (
	queueLines    = 512     // waiting to be written
	recentLines   = 256     // kept
	followerLines = 256     // waiting for one follower
	maxLine       = 8 << 10 // bytes
)

// Log is the log of one daemon. It is an io.Writer that takes one line in each Write, never
// blocks and never fails, so it can replace standard error. It is safe for concurrent use.
type Log struct {
	level   slog.LevelVar
	logger  *slog.Logger
	out     io.Writer
	written chan struct{} // closed when the queue is closed and written

	mu        sync.Mutex
	queue     chan []byte
	closed    bool
	dropped   int      // lines, not reported yet
	recent    [][]byte // the last ones, oldest first
	followers map[chan []byte]struct{}
}

// New returns a log that writes to out, and starts its goroutine, which Close ends.
func New(out io.Writer) *Log {
	l := &Log{out: out, written: make(chan struct{}), queue: make(chan []byte, queueLines), followers: map[chan []byte]struct{}{}}
	l.logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: &l.level, ReplaceAttr: bounded}))
	go l.write()
	return l
}

// bounded shortens long text, which others may have written; the handler quotes it.
func bounded(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(foreign.Line(v.String()))
	case slog.KindAny:
		a.Value = slog.StringValue(foreign.Line(fmt.Sprintf("%+v", v.Any())))
	}
	return a
}

// Logger returns the logger that writes to the log.
func (l *Log) Logger() *slog.Logger { return l.logger }

// SetLevel sets the lowest level that is logged: debug, info, warn or error.
func (l *Log) SetLevel(name string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return fmt.Errorf("a log's level is debug, info, warn or error, not %s", foreign.Name(name))
	}
	l.level.Set(level)
	return nil
}

// Write implements io.Writer.
func (l *Log) Write(line []byte) (int, error) {
	kept := bytes.Clone(line)
	if len(line) > maxLine {
		kept = append(kept[:maxLine-1:maxLine-1], '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) == recentLines {
		l.recent = append(l.recent[:0], l.recent[1:]...)
	}
	l.recent = append(l.recent, kept)
	for f := range l.followers {
		select {
		case f <- kept:
		default: // the follower misses a line, which shows in the times
		}
	}
	if l.closed {
		return len(line), nil
	}
	select {
	case l.queue <- kept:
	default:
		l.dropped++
	}
	return len(line), nil
}

// write writes until the queue is closed. If writing fails, only those lines are lost.
func (l *Log) write() {
	defer close(l.written)
	report := slog.New(slog.NewTextHandler(l.out, nil))
	for line := range l.queue {
		_, _ = l.out.Write(line)
		l.mu.Lock()
		n := l.dropped
		if len(l.queue) > 0 {
			n = 0 // they came after what still waits
		}
		l.dropped -= n
		l.mu.Unlock()
		if n > 0 {
			report.Warn("log lines dropped: whoever reads the log was too slow", "lines", n)
		}
	}
}

// Close waits until everything is written, but not longer than patience. Later lines are not
// written.
func (l *Log) Close(patience time.Duration) {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	select {
	case <-l.written:
	case <-time.After(patience):
	}
}

// Recent writes the last lines to w.
func (l *Log) Recent(w io.Writer) error {
	l.mu.Lock()
	recent := bytes.Join(l.recent, nil)
	l.mu.Unlock()
	_, err := w.Write(recent)
	return err
}

// Follow writes the last lines to w, and then new lines until ctx ends or w fails.
func (l *Log) Follow(ctx context.Context, w io.Writer) error {
	f := make(chan []byte, followerLines)
	l.mu.Lock()
	l.followers[f] = struct{}{}
	recent := bytes.Join(l.recent, nil)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, f)
	}()
	if _, err := w.Write(recent); err != nil {
		return err
	}
	for {
		select {
		case line := <-f:
			if _, err := w.Write(line); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
