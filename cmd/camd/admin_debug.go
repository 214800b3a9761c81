package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/logging"
)

// Bounds of a profile of the processor, in seconds.
const (
	debugSeconds    = 10
	maxDebugSeconds = 60
)

// debugServer lets root look into the running camd, one at a time. docs/protocol.md 10.8.
type debugServer struct {
	log   *logging.Log
	level string                      // the configured one
	uid   func(net.Conn) (int, error) // of who is at the other end
	busy  sync.Mutex
}

// serve answers with a line and then with what was asked for, until the connection ends.
// The group camd may decide about the household, but not look into memory.
func (s *debugServer) serve(ctx context.Context, c net.Conn, q adminRequest) {
	if uid, err := s.uid(c); err != nil || uid != 0 {
		answer(c, adminAnswer{Error: "camd debug is for root only: run it with sudo"})
		return
	}
	if !s.busy.TryLock() {
		answer(c, adminAnswer{Error: "another camd debug is under way; try again when it has ended"})
		return
	}
	defer s.busy.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = c.SetDeadline(time.Time{})
	go func() { // ends with the connection, which the caller closes
		_, _ = c.Read(make([]byte, 1))
		cancel()
	}()
	show, err := s.what(q)
	if err != nil {
		answer(c, adminAnswer{Error: err.Error()})
		return
	}
	answer(c, adminAnswer{OK: true})
	_ = show(ctx, patient{c}) // a client that does not read it loses only its own answer
}

// what returns the function that shows what was asked for.
func (s *debugServer) what(q adminRequest) (func(context.Context, io.Writer) error, error) {
	switch {
	case q.What == "log" && q.Level == "":
		return func(_ context.Context, w io.Writer) error { return s.log.Recent(w) }, nil
	case q.What == "log":
		if err := s.log.SetLevel(q.Level); err != nil {
			return nil, err
		}
		return func(ctx context.Context, w io.Writer) error {
			defer s.log.SetLevel(s.level) //nolint:errcheck // it was accepted before
			return s.log.Follow(ctx, w)
		}, nil
	case q.What == "goroutines":
		return func(_ context.Context, w io.Writer) error { _, err := w.Write(stacks()); return err }, nil
	case q.What == "heap":
		return func(_ context.Context, w io.Writer) error {
			runtime.GC() // so that it shows what is used now
			return pprof.Lookup("heap").WriteTo(w, 0)
		}, nil
	case q.What == "cpu" && q.Seconds >= 0 && q.Seconds <= maxDebugSeconds:
		return func(ctx context.Context, w io.Writer) error { return processor(ctx, w, q.Seconds) }, nil
	case q.What == "cpu":
		return nil, fmt.Errorf("a profile of the processor takes 1 to %d seconds", maxDebugSeconds)
	}
	return nil, errors.New("debug takes what: log, goroutines, heap or cpu")
}

func processor(ctx context.Context, w io.Writer, seconds int) error {
	if seconds == 0 {
		seconds = debugSeconds
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-ctx.Done():
	}
	return nil
}

// patient gives each write its own time.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(adminPatience))
	return p.Conn.Write(b)
}
