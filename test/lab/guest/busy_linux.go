package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// busy runs while nothing else wants to.
func busy() {
	runtime.LockOSThread()
	const idle = 5 // SCHED_IDLE
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: idle}, 0); err != nil {
		fmt.Println("lab: be busy when idle:", err)
		os.Exit(1)
	}
	// An emulator runs a long piece without a jump fastest.
	for x, y := uint64(1), uint64(1); ; {
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		x += y
		y += x
		if x == 0 && y == 0 { // never, since each step can be undone
			return
		}
	}
}
