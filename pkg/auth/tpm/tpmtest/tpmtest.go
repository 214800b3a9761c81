// Package tpmtest runs swtpm, a TPM 2.0 in software, for tests.
package tpmtest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// TPM is an emulated TPM, with the state of its own as a chip has it.
type TPM struct {
	Path string // of its socket

	t    testing.TB
	dir  string
	stop func()
}

// New makes a TPM as it comes from its maker, and starts it. It ends with the test.
func New(t testing.TB) *TPM {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("swtpm is not installed (Debian package swtpm)")
	}
	dir, err := os.MkdirTemp("", "tpm") // not t.TempDir: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	p := &TPM{Path: filepath.Join(dir, "socket"), t: t, dir: dir}
	t.Cleanup(func() {
		p.PowerOff()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p.PowerOn()
	return p
}

// PowerOn starts it. Whoever connects from now on is served.
func (p *TPM) PowerOn() {
	p.t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.Path, Net: "unix"})
	if err != nil {
		p.t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // swtpm has its own
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the same
	var said bytes.Buffer
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+p.dir, "--server", "type=unixio,fd=3", "--flags", "not-need-init,startup-clear") //nolint:gosec // a test's folder
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{f}, &said, &said
	cmd.SysProcAttr = endsWithUs()
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.stop = func() {
		_ = cmd.Process.Kill() // as the power goes
		_ = cmd.Wait()
		_ = os.Remove(p.Path)
		if p.t.Failed() {
			p.t.Logf("swtpm said: %s", &said)
		}
	}
}

// PowerOff ends it. Its state stays.
func (p *TPM) PowerOff() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// Do does something with it by go-tpm.
func (p *TPM) Do(do func(transport.TPM) error) {
	p.t.Helper()
	c, err := net.Dial("unix", p.Path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // answered by then
	if err := do(transport.FromReadWriter(c)); err != nil {
		p.t.Fatal(err)
	}
}

// Clear does what an owner does who gives the machine away: all keys are lost.
func (p *TPM) Clear() {
	p.t.Helper()
	p.Do(func(t transport.TPM) error {
		_, err := tpm2.Clear{AuthHandle: tpm2.TPMRHLockout}.Execute(t)
		return err
	})
}
