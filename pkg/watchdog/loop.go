package watchdog

import "context"

// Loop is how a part shows that its loop turns. The loop receives from it in the select
// in which it waits for its work, and calls what it gets.
type Loop chan func()

// NewLoop makes one. A part that is not running does not answer.
func NewLoop() Loop { return make(Loop) }

// Turn returns nil when the loop has come round and called what it got, else the error of
// ctx.
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
