// Package supervise runs the parts of the daemon under one context. It starts all of them,
// restarts optional ones that fail, with growing and jittered pauses, ends the daemon if a
// required one fails, and returns when all have returned. It never recovers from a panic: the
// init system restarts camd after a crash.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
)

// Component is a part of the daemon that runs for itself.
type Component interface {
	fmt.Stringer
	// Run calls ready when it serves, and returns after ctx has ended, when every
	// goroutine that it has started has ended.
	Run(ctx context.Context, ready func()) error
}

// Part is a component and how it is kept running.
type Part struct {
	Component
	Required bool // its failure ends the daemon; otherwise it is restarted
}

// Pauses between restarts of an optional part.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// ErrEnded is the error of a part that returned without an error before its context had
// ended.
var ErrEnded = errors.New("ended by itself")

// Run runs every part until ctx ends or a required part fails. It returns the error of that
// part, or nil. It calls allReady once, when each part has called its ready.
func Run(ctx context.Context, log *slog.Logger, allReady func(), parts ...Part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg, waiting sync.WaitGroup
	waiting.Add(len(parts))
	for _, p := range parts {
		wg.Go(func() {
			ready := sync.OnceFunc(waiting.Done)
			defer ready() // so that a part that never served holds nobody up
			if err := keep(ctx, log, p, ready); err != nil {
				cancel(fmt.Errorf("%s: %w", p, err))
			}
		})
	}
	wg.Go(func() {
		waiting.Wait()
		if ctx.Err() == nil {
			allReady()
		}
	})
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// keep runs one part. It returns an error only if a required part has failed.
func keep(ctx context.Context, log *slog.Logger, p Part, ready func()) error {
	pause := backoff.Backoff{First: firstPause, Max: maxPause}
	for {
		began := time.Now()
		err := p.Run(ctx, ready)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				log.Warn("part failed while stopping", "part", p.String(), "error", err)
			}
			return nil
		}
		if err == nil {
			err = ErrEnded
		}
		if p.Required {
			return err
		}
		if time.Since(began) > maxPause {
			pause.Reset() // it served well for a while: this is a new fault
		}
		wait := pause.Next()
		log.Warn("part failed, restarting", "part", p.String(), "error", err, "pause", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
