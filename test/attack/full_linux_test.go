package attack

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// smallDisk is what store/ gets: some more than it holds at first.
const smallDisk = 512 << 10

// A full disk is a small tmpfs in a mount namespace of the test's own, and a file that
// takes what is left of it.
func TestT15FullStorageShowsNothing(t *testing.T) {
	if !alone(t) {
		return
	}
	h := newHome(t)
	dora := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
	h.stop()
	disk := filepath.Join(h.State(), "store")
	mountSmall(t, disk)
	h.again()
	filler := filepath.Join(disk, "filler")
	h.storageFails(dora, func() { fill(t, filler) }, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}

// mountSmall moves a folder to a small disk.
func mountSmall(t *testing.T, path string) {
	t.Helper()
	kept := filepath.Join(t.TempDir(), "kept")
	copyTo(t, kept, path)
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil || errors.Is(err, syscall.EINVAL) { // in a chroot / may be no mount point
		err = syscall.Mount("small", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", smallDisk))
	}
	if err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
	copyTo(t, path, kept+"/.")
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A storage that can't sync is strace's doing, which lets the system call fail.
func TestT15SyncErrorShowsNothing(t *testing.T) {
	h := newHome(t)
	dora := h.Invite(h.owner, proto.Grant{Name: "Dora", Role: proto.RoleOwner})
	h.readsNoCodes()
	var strace *exec.Cmd
	h.storageFails(dora, func() { strace = failing(t, h.PID(), "fdatasync,fsync") }, func() {
		_ = strace.Process.Signal(os.Interrupt)
		_ = strace.Wait()
	})
}

// readsNoCodes waits until camd has no child, and starts none: strace never lets go of a
// process that is about to start one. The window is opened once more, to close soon.
func (h *house) readsNoCodes() {
	h.t.Helper()
	if out, err := h.Run("pair", "--window", "1s", "--name", "Nobody"); err != nil {
		h.t.Fatalf("camd pair: %v\n%s", err, out)
	}
	time.Sleep(3 * time.Second) // in which the window closes; afterwards nothing starts a child
	h.Until("no child of camd's is left", func() bool {
		children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", h.PID()))
		if err != nil {
			h.t.Fatal(err)
		}
		for _, path := range children {
			if pids, err := os.ReadFile(path); err == nil && len(pids) > 0 {
				return false
			}
		}
		return true
	})
}

// failing lets system calls of a process fail until strace is interrupted.
func failing(t *testing.T, pid int, calls string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-p", fmt.Sprint(pid), "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+calls+":error=EIO")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("strace: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		t.Skipf("this system does not let a process be traced: %s", lines.Text())
	}
	go func() {
		for lines.Scan() { // or it would block
		}
	}()
	return cmd
}

// storageFails makes the storage fail while a member watches: that ends with the
// reason, and nothing begins until the storage works again.
func (h *house) storageFails(dora *client.Camera, fail, mend func()) {
	h.t.Helper()
	s, err := dora.Watch(h.t.Context(), client.WatchOptions{Video: func(client.Frame) {}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer s.Close()
	fail()
	var a proto.Answer
	for i := 0; i < 100 && a.Code != proto.CodeStorage; i++ { // until the log has to grow
		h.probe.Hello()
		a = h.probe.Do(h.probe.Request(proto.OpLive, fmt.Sprint("s", i), proto.LiveRequest{SDP: "none", Scopes: []proto.Scope{proto.ScopeView}}))
	}
	if a.Code != proto.CodeStorage {
		h.t.Fatalf("the storage does not fail: %q", a.Code)
	}
	select {
	case <-s.Done():
	case <-time.After(rig.Patience):
		h.t.Fatal("who watched goes on")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), proto.CodeStorage.Sentence()) {
		h.t.Errorf("who watched is told %v", err)
	}
	var refused *client.Refused
	if _, err := h.owner.Watch(h.t.Context(), client.WatchOptions{Video: func(client.Frame) {}}); !errors.As(err, &refused) || refused.Code != proto.CodeStorage {
		h.t.Errorf("watching while nothing can be logged: %v", err)
	}
	h.does(h.probe, proto.OpGrant, rig.Complete(h.t, newKeys(h.t), proto.Grant{Name: "X"}), proto.CodeStorage)
	if l := h.sessions(); len(l) != 0 {
		h.t.Errorf("sessions: %+v", l)
	}
	h.OutboundOnly("while nothing can be logged")
	if c := h.Condition("auth"); c.State != "failed" || !strings.Contains(c.Reason, "access log") {
		h.t.Errorf("the camera's health says %+v", c)
	}
	mend()
	h.sees(h.owner)
	if c := h.Condition("auth"); c.State != "ok" {
		h.t.Errorf("mended, the camera's health says %+v", c)
	}
	if _, err := dora.VerifyLog(h.t.Context()); err != nil || dora.Alarm() != nil {
		h.t.Errorf("mended, the log says %v, %+v", err, dora.Alarm())
	}
}
