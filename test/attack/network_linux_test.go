package attack

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/test/lab/netif"
)

// ownNetwork is set in the environment of a test that runs in a network of its own.
const ownNetwork = "CAMD_ATTACK_NETWORK"

// alone runs the calling test once more, in a process whose network namespace is new
// and has a loopback only, as is its mount namespace, and tells whether this is that
// process. Only what the test starts speaks there, and root's rights over it end with it.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownNetwork) != "" {
		if err := netif.Up("lo"); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch text := "\n| " + strings.ReplaceAll(string(out), "\n", "\n| "); {
	case errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSPC):
		t.Skipf("this machine lets the test make no network of its own: %v", err)
	case errors.As(err, &exit):
		t.Errorf("in a network of its own: %v%s", err, text)
	case err != nil:
		t.Fatal(err)
	default:
		t.Log(text)
	}
	return false
}
