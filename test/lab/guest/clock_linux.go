package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

// SetClock sets the wall clock and whether adjtimex(2) calls it synchronised.
func (g *Guest) SetClock(c agent.Clock, _ *agent.Empty) error {
	if !c.Time.IsZero() {
		t := unix.NsecToTimeval(c.Time.UnixNano())
		if err := unix.Settimeofday(&t); err != nil { // it is unsynchronised from now on
			return fmt.Errorf("set the clock: %w", err)
		}
	}
	// A maximum error of nothing: it grows each second, and the kernel takes the
	// mark back when it has become too large (kernel/time/ntp.c).
	t := unix.Timex{Modes: unix.ADJ_STATUS | unix.ADJ_MAXERROR}
	if !c.Synchronised {
		t.Status = unix.STA_UNSYNC
	}
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("mark the clock: %w", err)
	}
	return nil
}
