package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/link/linktest"
)

// bus is a bus of its own with RAUC's and the image's rules, and RAUC on it, as post-build.sh
// configures it for a Raspberry Pi, but that its slots are files.
type bus struct {
	p       *pi
	address string
	env     []string
	pki     string
}

func newBus(t *testing.T, p *pi) *bus {
	t.Helper()
	need(t, "rauc", "dbus-daemon", "dbus-send", "setpriv", "unshare", "openssl", "mksquashfs")
	if os.Geteuid() != 0 {
		t.Skip("RAUC mounts bundles, which only root can let it do")
	}
	b := &bus{p: p, address: "unix:abstract=camd-test-" + filepath.Base(filepath.Dir(p.dir)) + fmt.Sprint(os.Getpid()), pki: filepath.Join(p.dir, "pki")}
	b.env = append(p.env(), "DBUS_STARTER_BUS_TYPE=session", "DBUS_SESSION_BUS_ADDRESS="+b.address)
	must(t, tree.PKI(t.Context(), b.pki))
	rules, err := os.ReadFile("/usr/share/dbus-1/system.d/de.pengutronix.rauc.conf")
	must(t, err)
	own := read(t, tree.path("board/common/rootfs-overlay/etc/dbus-1/system.d/camd-rauc.conf"))
	// This machine may know no camd: the rules' user is nobody here.
	must(t, os.WriteFile(filepath.Join(p.dir, "own.conf"), []byte(strings.ReplaceAll(string(own), `"camd"`, `"nobody"`)), 0o600))
	must(t, os.WriteFile(filepath.Join(p.dir, "rauc.conf"), rules, 0o600))
	must(t, os.WriteFile(filepath.Join(p.dir, "bus.conf"), fmt.Appendf(nil, `<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="*"/><allow send_destination="org.freedesktop.DBus"/></policy>
<include>%s/rauc.conf</include><include>%s/own.conf</include></busconfig>`, b.address, p.dir, p.dir), 0o600))
	b.background("dbus-daemon", "--config-file="+p.dir+"/bus.conf", "--nofork", "--nopidfile")
	b.configure()
	return b
}

// configure writes what stands for /etc/rauc/system.conf.
func (b *bus) configure() {
	t, dir := b.p.t, b.p.dir
	t.Helper()
	_, err := run(t.Context(), "env", "CAMD_PKI="+b.pki, tree.path("board/common/post-build.sh"), dir+"/target", "rpi4_64")
	must(t, err)
	backend, err := filepath.Abs(tree.path("board/raspberrypi/rootfs-overlay/usr/libexec/camd/rauc-backend"))
	must(t, err)
	conf := strings.NewReplacer("/dev/disk/by-partuuid/63616d64-", dir+"/slot-", "/usr/libexec/camd/rauc-backend", backend,
		"/etc/rauc/", b.pki+"/", "/data/", dir+"/", "mountprefix=/run/rauc", "mountprefix="+dir+"/mnt",
		"bundle-formats=-plain\n", "", // this kernel may have no dm-verity
	).Replace(string(read(t, dir+"/target/etc/rauc/system.conf")))
	must(t, os.WriteFile(dir+"/system.conf", []byte(conf), 0o600))
	must(t, os.Mkdir(dir+"/mnt", 0o755))
	for _, n := range []string{"02", "03", "05", "06"} {
		must(t, os.WriteFile(dir+"/slot-"+n, make([]byte, 1<<16), 0o600))
	}
}

// serve starts RAUC in the slot that runs, and returns what ends it.
func (b *bus) serve() (end func()) {
	b.p.t.Helper()
	end = b.background("unshare", "-m", "rauc", "service", "--conf="+b.p.dir+"/system.conf", "--mount="+b.p.dir+"/mnt", "--override-boot-slot="+b.p.slot)
	linktest.Until(b.p.t, "RAUC answers", func() bool {
		_, err := b.call("0", "org.freedesktop.DBus.Properties.Get", "string:de.pengutronix.rauc.Installer", "string:Operation")
		return err == nil
	})
	return end
}

// call calls RAUC as a user.
func (b *bus) call(uid, method string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.p.t.Context(), "setpriv", append([]string{"--reuid=" + uid, "--regid=" + uid, "--clear-groups", "dbus-send", "--bus=" + b.address,
		"--print-reply", "--dest=de.pengutronix.rauc", "/", method}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b *bus) rauc(args ...string) string {
	b.p.t.Helper()
	cmd := exec.CommandContext(b.p.t.Context(), "rauc", args...)
	cmd.Env = b.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.p.t.Fatalf("rauc %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (b *bus) background(name string, args ...string) (end func()) {
	b.p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = b.env
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	must(b.p.t, cmd.Start())
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // unshare becomes RAUC: there is no child
			_ = cmd.Wait()
		}
	}
	b.p.t.Cleanup(func() {
		end()
		if b.p.t.Failed() {
			b.p.t.Logf("%s:\n%s", name, log)
		}
	})
	return end
}

// bundle makes one of both images of a slot.
func (b *bus) bundle() string {
	t, in := b.p.t, filepath.Join(b.p.dir, "in")
	t.Helper()
	must(t, os.Mkdir(in, 0o755))
	manifest := strings.NewReplacer("@COMPATIBLE@", "camd-rpi4-64", "@VERSION@", "1.2.0", "format=verity", "format=plain").Replace(string(read(t, tree.path("ota/manifest.raucm.in"))))
	for name, text := range map[string]string{"manifest.raucm": manifest, "kernel.img": strings.Repeat("kernel\n", 5000), "rootfs.img": strings.Repeat("rootfs\n", 5000), "install-check": "#!/bin/sh\n"} {
		must(t, os.WriteFile(filepath.Join(in, name), []byte(text), 0o755))
	}
	out := filepath.Join(b.p.dir, "bundle.raucb")
	b.rauc("--cert="+b.pki+"/signer.cert.pem", "--key="+b.pki+"/signer.key.pem", "--keyring="+b.pki+"/ca.cert.pem", "bundle", in, out)
	return out
}

// The real RAUC writes both partitions of the other slot, has it tried, and confirms it, with
// the image's own configuration and backend.
func TestTrybootByRAUC(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	b := newBus(t, p)
	end := b.serve()
	b.rauc("install", b.bundle())
	for name, want := range map[string]string{"02": "\x00", "03": "kernel\n", "05": "\x00", "06": "rootfs\n"} {
		if text := string(read(t, p.dir+"/slot-"+name)); !strings.HasPrefix(text, want) {
			t.Errorf("partition %s begins with %q", name, text[:7])
		}
	}
	p.is("get-primary", "B")
	p.is("get-state B", "good")
	end()

	p.restart()
	p.runs("B")
	end = b.serve()
	b.rauc("status", "mark-good")
	end()
	p.start()
	p.runs("B")
}

// Only camd's user and root may call RAUC, whose own rules let everybody.
func TestOnlyCamdMayCallRAUC(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	b := newBus(t, p)
	b.serve()
	for uid, want := range map[string]bool{"0": true, "65534": true, "1": false} {
		for _, c := range [][]string{
			{"de.pengutronix.rauc.Installer.Install", "string:/nowhere"},
			{"de.pengutronix.rauc.Installer.Mark", "string:active", "string:other"},
			{"org.freedesktop.DBus.Properties.Get", "string:de.pengutronix.rauc.Installer", "string:Operation"},
		} {
			out, err := b.call(uid, c[0], c[1:]...)
			if denied := err != nil && strings.Contains(out, "AccessDenied"); denied == want {
				t.Errorf("user %s, %s: %v %s", uid, c[0], err, out)
			}
		}
	}
}
