package tpmtest

import "syscall"

// endsWithUs has the kernel end a child whose parent was killed.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
