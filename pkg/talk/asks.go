package talk

import (
	"slices"
	"time"
)

// Questions to the room that nobody said yes to: of so many within that time no other
// follows, or whoever is in the room would be rung for all night. docs/protocol.md 8.2.
const (
	maxAsks   = 3
	askWithin = 30 * time.Minute
)

// asks is when the room was asked for whom and let nobody in, by account.
type asks map[string][]time.Time

// take tells whether the room may be asked, and counts it.
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
