package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// kernelClock is the wall clock; it is vouched for while a time server disciplines it
// (adjtimex(2): the kernel sets STA_UNSYNC when that has been too long ago).
func kernelClock() (now time.Time, synchronised bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return time.Now(), err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
