package watchdog

import "context"

// Loop shows that a part's loop runs. The loop receives from it in the select in which it
// waits for work, and calls the function that it gets.
type Loop chan func()

// NewLoop returns a Loop. A part that does not run does not answer.
func NewLoop() Loop { return make(Loop) }

// Turn returns nil when the loop has called the function that it got, or the error of ctx.
func (l Loop) Turn(ctx context.Context) error {
	turned := make(chan struct{})
	select {
	case l <- func() { close(turned) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-turned:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
