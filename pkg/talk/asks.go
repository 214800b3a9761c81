package talk

import (
	"slices"
	"time"
)

// After so many questions within that time that nobody accepted, none is asked: otherwise
// people in the room could be disturbed all night. docs/protocol.md 8.2.
const (
	maxAsks   = 3
	askWithin = 30 * time.Minute
)

// asks holds when the room was asked and did not accept, by account.
type asks map[string][]time.Time

// take reports whether the room may be asked, and counts it.
func (a asks) take(account string, now time.Time) bool {
	for of, l := range a {
		if l = slices.DeleteFunc(l, func(at time.Time) bool { return now.Sub(at) >= askWithin }); len(l) == 0 {
			delete(a, of)
		} else {
			a[of] = l
		}
	}
	if len(a[account]) >= maxAsks {
		return false
	}
	a[account] = append(a[account], now)
	return true
}
