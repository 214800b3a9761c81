// Package supervise runs the parts of the daemon under one context: it starts
// them all, restarts those that may fail with a growing, jittered pause, ends the
// daemon when one that must not fail does, and returns when every one has.
// It never recovers a panic: a crash is reported and the init system restarts camd.
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

// Component is a part of the daemon with a life of its own.
type Component interface {
	fmt.Stringer
	// Run blocks. It calls ready once it serves, and returns after ctx ends,
	// having joined every goroutine that it started.
	Run(ctx context.Context, ready func()) error
}

// Part says how a component is kept running.
type Part struct {
	Component
	Required bool // its failure ends the daemon; otherwise it is restarted
}

// Pauses between restarts of an optional part.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// ErrEnded is the failure of a required part that returned without an error
// though its context had not ended.
var ErrEnded = errors.New("ended by itself")

// Run runs every part until ctx ends or a required one fails, and returns that
// part's error or nil. allReady is called once, when each part has called its ready.
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

// keep runs one part; it returns an error only for a required part that failed.
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
