package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// inside marks the environment of a process in namespaces of its own.
const inside = "CAMD_NETLAB"

// Inside reports whether Command has started this process.
func Inside() bool { return os.Getenv(inside) != "" }

// Missing returns why this machine can have no lab; nil if nothing speaks against it.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root's rights")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return errors.New("the kernel has no /dev/net/tun")
	}
	for _, p := range []string{"ip", "tc"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("there is no %s: install the Debian package iproute2", p)
		}
	}
	return nil
}

// Command runs this very program in network, mount and process namespaces of its own. The
// process and all that it starts end with the caller.
func Command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL}
	return cmd
}

// mountOwn gives the process a /proc of its own processes, and a /run for ip-netns(8).
func mountOwn() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for where, kind := range map[string]string{"/proc": "proc", "/run": "tmpfs"} {
		if err := unix.Mount(kind, where, kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", where, err)
		}
	}
	return nil
}

// in runs f on a thread in a namespace; its sockets and interfaces belong there for ever.
func in(namespace string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd) //nolint:errcheck // nothing was written
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// ip runs the ip command with each line of words.
func ip(lines ...string) error {
	for _, l := range lines {
		if err := run("ip " + l); err != nil {
			return err
		}
	}
	return nil
}

// ErrNoBucket means that the kernel has no token bucket.
var ErrNoBucket = errors.New("the kernel has no tc-tbf(8)")

func run(line string) error {
	words := strings.Fields(line)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if strings.Contains(string(out), "qdisc kind is unknown") {
		return ErrNoBucket
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}
