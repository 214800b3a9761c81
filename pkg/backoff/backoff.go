// Package backoff spaces the attempts at something that fails. Each wait is twice as
// long as the one before, up to a bound, and each is made longer or shorter at random,
// so that a thousand devices don't come back to a server in one moment.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff counts the waits between attempts. It is not safe for concurrent use.
type Backoff struct {
	First time.Duration // the wait after the first failure; more than 0
	Max   time.Duration // the longest wait

	next time.Duration // 0: First
}

// Next returns how long to wait before the next attempt, by a random half longer or
// shorter, and doubles the wait after that one.
func (b *Backoff) Next() time.Duration {
	wait := max(b.next, b.First)
	b.next = min(2*wait, b.Max)
	return Jitter(wait, wait/2)
}

// Reset begins again with First: the next failure is a new fault.
func (b *Backoff) Reset() { b.next = 0 }

// Limit makes the next wait at most d, without its jitter.
func (b *Backoff) Limit(d time.Duration) { b.next = min(b.next, d) }

// Jitter returns d, at random longer or shorter by up to spread, which is more than 0.
func Jitter(d, spread time.Duration) time.Duration {
	return d - spread + rand.N(2*spread) //nolint:gosec // not a secret
}
