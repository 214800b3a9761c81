package attack

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writing are the system calls by which what a process stores changes. What a
// temporary file holds before its rename counts for nothing, so write(2) is not one.
var writing = []uint64{unix.SYS_PWRITE64, unix.SYS_FDATASYNC, unix.SYS_FSYNC, unix.SYS_FTRUNCATE,
	unix.SYS_RENAMEAT, unix.SYS_UNLINKAT, unix.SYS_LINKAT}

// killer kills a process, by ptrace(2), when it enters the n-th of its writing system
// calls from now on, over all its threads: that one is not carried out any more.
type killer struct {
	pid  int
	left int
	done chan error // the process is gone
	hit  bool       // by the killer; after done
}

// kill begins with a process that is no child of a thread that may end.
func kill(t *testing.T, pid, n int) *killer {
	t.Helper()
	k := &killer{pid: pid, left: n, done: make(chan error, 1)}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // it is the tracer; it ends with its goroutine
		err := k.seize()
		ready <- err
		if err == nil {
			err = k.follow()
		}
		k.done <- err
	}()
	if err := <-ready; errors.Is(err, syscall.EPERM) {
		t.Skipf("this system does not let a process be traced: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return k
}

// seize takes all threads. One that begins meanwhile is found by looking again.
func (k *killer) seize() error {
	var taken []int
	for before := -1; before != len(taken); {
		before = len(taken)
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", k.pid))
		if err != nil {
			return err
		}
		for _, x := range threads {
			tid, _ := strconv.Atoi(x.Name())
			if slices.Contains(taken, tid) {
				continue
			}
			err := ptrace(unix.PTRACE_SEIZE, tid, 0, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESYSGOOD)
			if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) && len(taken) > 0 {
				continue // it has ended, or a traced thread has made it: then it is taken
			}
			if err == nil {
				err = ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0)
			}
			if err != nil {
				return fmt.Errorf("trace thread %d: %w", tid, err)
			}
			taken = append(taken, tid)
		}
	}
	return nil
}

// follow lets the threads go from system call to system call until none is left.
func (k *killer) follow() error {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.ECHILD):
			return nil
		case err != nil:
			return err
		case !ws.Stopped():
			continue
		}
		pass := uintptr(0)
		switch s := ws.StopSignal(); {
		case s == syscall.SIGTRAP|0x80: // at a system call
			k.judge(tid)
		case ws>>16 == 0: // a signal on its way
			pass = uintptr(s)
		}
		_ = ptrace(unix.PTRACE_SYSCALL, tid, 0, pass) // fails only for one that is gone
	}
}

// judge counts a system call that is being entered.
func (k *killer) judge(tid int) {
	var info struct { // struct ptrace_syscall_info, as far as entry needs it
		op uint8
		_  [7]uint8
		_  [2]uint64
		nr uint64
		_  [7]uint64
	}
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if e != 0 || info.op != unix.PTRACE_SYSCALL_INFO_ENTRY || !slices.Contains(writing, info.nr) || k.hit {
		return
	}
	if k.left--; k.left <= 0 {
		k.hit = unix.Kill(k.pid, unix.SIGKILL) == nil
	}
}

func ptrace(request, tid int, address, data uintptr) error {
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
