package rauc_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/update/rauc"
)

const compatible = "camd-test"

// installCheck is the bundles' hook, or a mutant's copy of it (test/attack).
var installCheck = filepath.Join(cmp.Or(os.Getenv("CAMD_MUTANT"), "../../.."), "buildroot/ota/hooks/install-check")

// sandbox is RAUC's real service on a bus of its own, with files for slots and U-Boot's
// environment. It mounts bundles in a name space of its own; nothing of the system changes.
type sandbox struct {
	t      *testing.T
	dir    string
	driver *rauc.Driver
	ends   map[string]func() // of the programs that run
}

// maker signs bundles.
type maker struct{ ca, cert, key string }

func needRAUC(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("RAUC mounts bundles, which only root can let it do")
	}
	for _, tool := range []string{"rauc", "dbus-daemon", "unshare", "mksquashfs", "fw_setenv", "fw_printenv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this machine lacks %s: scripts/setup.sh test installs it", tool)
		}
	}
}

func newSandbox(t *testing.T, m maker, lowest string) *sandbox {
	t.Helper()
	s := &sandbox{t: t, dir: t.TempDir(), ends: map[string]func(){}}
	s.write("env.cfg", s.path("env")+" 0 0x1000\n")
	s.write("env", string(make([]byte, 0x1000)))
	s.write("empty", "")
	for _, tool := range []string{"fw_setenv", "fw_printenv"} {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		s.write("bin/"+tool, fmt.Sprintf("#!/bin/sh\nexec %s -c %s -f %s \"$@\"\n", real, s.path("env.cfg"), s.path("empty")))
	}
	for name, value := range map[string]string{"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3"} {
		s.run(s.path("bin/fw_setenv"), name, value)
	}
	for _, slot := range []string{"a.img", "b.img"} {
		s.write(slot, string(make([]byte, 1<<20)))
	}
	s.write("lowest", lowest+"\n")
	s.write("mnt/keep", "")
	s.write("system.conf", fmt.Sprintf(`[system]
compatible=%s
bootloader=uboot
mountprefix=%s
statusfile=%s
[keyring]
path=%s
[slot.rootfs.0]
device=%s
type=raw
bootname=A
[slot.rootfs.1]
device=%s
type=raw
bootname=B
`, compatible, s.path("mnt"), s.path("status"), m.ca, s.path("a.img"), s.path("b.img")))
	s.serve()
	return s
}

// serve starts RAUC on a bus, and waits until RAUC answers.
func (s *sandbox) serve() {
	s.t.Helper()
	s.driver = rauc.On(s.bus())
	s.background("unshare", "-m", "rauc", "service", "--conf="+s.path("system.conf"), "--mount="+s.path("mnt"), "--override-boot-slot=A")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, err := s.driver.Status(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("RAUC does not answer: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// bus starts a bus of its own, and returns its address once it listens.
func (s *sandbox) bus() string {
	s.t.Helper()
	address := "unix:path=" + s.path("bus")
	s.write("bus.conf", `<busconfig><type>session</type><listen>`+address+`</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="false"/></policy></busconfig>`)
	s.background("dbus-daemon", "--config-file="+s.path("bus.conf"), "--nofork", "--nopidfile")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", s.path("bus"))
		if err == nil {
			_ = conn.Close()
			return address
		}
		if time.Since(began) > time.Minute {
			s.t.Fatal(err)
		}
	}
}

func (s *sandbox) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sandbox) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *sandbox) run(name string, args ...string) string { return output(s.t, name, args...) }

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// background starts a program that ends with the test.
func (s *sandbox) background(name string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+s.path("bin")+":"+os.Getenv("PATH"), "DBUS_STARTER_BUS_TYPE=session",
		"DBUS_SESSION_BUS_ADDRESS=unix:path="+s.path("bus"), "CAMD_LOWEST="+s.path("lowest"))
	log, err := os.Create(s.path(filepath.Base(name) + ".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ends[name] = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // unshare becomes RAUC: there is no child
		_ = cmd.Wait()
		_ = log.Close()
	})
	s.t.Cleanup(func() {
		s.stop(name)
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, s.read(filepath.Base(name)+".log"))
		}
	})
}

// stop ends a program.
func (s *sandbox) stop(name string) { s.ends[name]() }

// environment returns what the boot loader would read.
func (s *sandbox) environment(name string) string {
	return s.run(s.path("bin/fw_printenv"), "-n", name)
}

// newMaker makes an authority and a key under it, as RAUC wants them.
func newMaker(t *testing.T) maker {
	t.Helper()
	dir := t.TempDir()
	m := maker{ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	caKey, key := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "updates"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "maker"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning},
	}
	for path, c := range map[string]*x509.Certificate{m.ca: ca, m.cert: leaf} {
		public := &caKey.PublicKey
		if c == leaf {
			public = &key.PublicKey
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, public, caKey)
		if err != nil {
			t.Fatal(err)
		}
		writePEM(t, path, "CERTIFICATE", der)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, m.key, "PRIVATE KEY", der)
	return m
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// spec is a bundle to make.
type spec struct {
	version, compatible, format string
	hook                        bool
	image                       string
}

// bundle has RAUC make one.
func (m maker) bundle(t *testing.T, b spec) string {
	t.Helper()
	dir := t.TempDir()
	in, path := filepath.Join(dir, "in"), filepath.Join(dir, "bundle.raucb")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n[bundle]\nformat=%s\n[image.rootfs]\nfilename=rootfs.img\n", b.compatible, b.version, b.format)
	if b.hook {
		hook, err := os.ReadFile(installCheck)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(in, "install-check"), hook, 0o755); err != nil {
			t.Fatal(err)
		}
		text += "[hooks]\nfilename=install-check\nhooks=install-check\n"
	}
	for name, text := range map[string]string{"manifest.raucm": text, "rootfs.img": b.image} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	output(t, "rauc", "--cert="+m.cert, "--key="+m.key, "--keyring="+m.ca, "bundle", in, path)
	return path
}
