package media

import "time"

// base is the zero of the capture clock.
var base = time.Now()

// Now reads the capture clock: the time since an arbitrary moment of this
// process's life on CLOCK_MONOTONIC, which V4L2 and ALSA stamp their buffers with
// too. Every PTS is on this clock, so sound and picture can be laid side by side.
func Now() time.Duration { return time.Since(base) }

// Wall returns when the capture clock stood at pts. The wall clock's later
// corrections are not in it: it serves RTCP sender reports (RFC 3550 section
// 6.4.1), where only the difference between two streams counts.
func Wall(pts time.Duration) time.Time { return base.Add(pts) }
