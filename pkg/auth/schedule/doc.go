// Package schedule decides whether a moment is within hours that repeat each week,
// as a clock on the household's wall shows them, and finds the household's time
// zone, on systems without zone files too. docs/protocol.md 5.8.
//
// It refuses texts that could be read in two ways, names that are no IANA zone's,
// and zones whose rules it can't follow. It holds no state, knows no clock and
// starts nothing.
package schedule
