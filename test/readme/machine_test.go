package readme

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/link/linktest"
)

// machine stands for the operator's, the broker's and the camera's: all paths lie below
// root, and the ports are free ones.
type machine struct {
	t           *testing.T
	root        string // stands for /
	work        string // where the reader is: a checkout with built programs
	shims       string // programs that go before the machine's own
	device      string // address of the devices' port
	viewer      string
	names       *strings.Replacer
	broker      *os.Process
	stopBroker  func()
	label       string
	key, name   string // of whoever has shown a key last
	cameraSaid  *output
	cameraEnded chan error
}

// shim is a program that stands for one which only root may run, or which asks for a
// real machine. $ROOT, $REAL and $NAME are put in their places.
var shims = map[string]string{
	"sudo":             `if [ "$1" = -u ]; then shift 2; fi; exec "$@"`,
	"apt-get":          `[ "$*" = update ] && exit; [ "$*" = "install -y mosquitto" ]; test -x /usr/sbin/mosquitto`,
	"usermod":          `[ "$*" = "-a -G camd anna" ]`,
	"systemd-sysusers": `grep -q '^u camd -:camd' $ROOT/etc/sysusers.d/camd.conf; grep -q '^g camd' $ROOT/etc/sysusers.d/camd.conf`,
	// The mode is what a test can give.
	"install": `
args=(); while [ $# -gt 0 ]; do case "$1" in
	-o) [ "$2" = camd ]; shift 2;; -g) [ "$2" = camd ] || [ "$2" = mosquitto ]; shift 2;; *) args+=("$1"); shift;; esac; done
exec /usr/bin/install "${args[@]}"`,
	// The defaults lie below the root, too, and camera and sound are made up.
	"camd-of-operator": `
if [ "$1" = config ]; then
	dist/camd-linux-arm64 config | sed -e 's|/dev/tpmrm0|$ROOT/dev/tpmrm0|' -e 's|/var/lib/camd|$ROOT/var/lib/camd|' -e 's|/run/camd|$ROOT/run/camd|' \
		-e 's|^source = "v4l2"|source = "synthetic"|' -e 's|^source = "alsa"|source = "tone"|' -e 's|^speaker = "auto"|speaker = "null"|'
else exec dist/camd-linux-arm64 "$@"; fi`,
	"camd": `exec $REAL "$@" --config $ROOT/etc/camd/camd.toml`,
	"camctl": `
if [ "$1" = pair ]; then # no radio: the conversation is the same at the socket
	set -- --socket $ROOT/run/camd/camd.sock "${@:2}"
	args=(pair); while [ $# -gt 0 ]; do case "$1" in
		--ble) shift;; --wifi|--wifi-password-file) shift 2;; *) args+=("$1"); shift;; esac; done
	set -- "${args[@]}"
fi
exec $REAL --home $ROOT/home/$WHO "$@"`,
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/mosquitto"); err != nil {
		t.Skip("mosquitto is not installed (Debian package mosquitto)")
	}
	m := &machine{t: t, root: t.TempDir(), work: t.TempDir(), shims: t.TempDir()}
	m.device, m.viewer = port(t), port(t)
	m.names = strings.NewReplacer("broker.example", "localhost", ":8883", ":"+m.device, ":8884", ":"+m.viewer,
		"/etc/", m.root+"/etc/", "/mnt/", m.root+"/mnt/", "/var/lib/", m.root+"/var/lib/", "/usr/local/", m.root+"/usr/local/")
	// No etc/sysusers.d: Debian's systemd brings none.
	for _, dir := range []string{"etc/systemd/system", "etc/mosquitto", "var/lib", "run/camd", "usr/local/bin", "home"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	m.build()
	for name, text := range shims {
		text = strings.NewReplacer("$ROOT", m.root, "$REAL", filepath.Join(m.root, "usr/local/bin", name)).Replace(text)
		m.must(os.WriteFile(filepath.Join(m.shims, name), []byte("#!/bin/bash\nset -eo pipefail\n"+text+"\n"), 0o755)) //nolint:gosec // a program
	}
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// build makes the checkout that make build release leaves.
func (m *machine) build() {
	m.t.Helper()
	docs, err := filepath.Abs("../../docs")
	m.must(err)
	m.must(os.Symlink(docs, filepath.Join(m.work, "docs")))
	for _, dir := range []string{"bin", "dist"} {
		m.must(os.Mkdir(filepath.Join(m.work, dir), 0o755))
	}
	out, err := exec.Command("go", "build", "-tags", "netgo,osusergo,nomicrophone", "-o", filepath.Join(m.work, "bin"),
		"github.com/camd-project/camd/cmd/...").CombinedOutput()
	if err != nil {
		m.t.Fatalf("build: %v\n%s", err, out)
	}
	m.must(os.Rename(filepath.Join(m.work, "bin/camd"), filepath.Join(m.work, "dist/camd-linux-arm64")))
	m.must(os.Symlink(filepath.Join(m.shims, "camd-of-operator"), filepath.Join(m.work, "bin/camd")))
}

// startBroker starts mosquitto with what was installed, changing no more than addresses.
func (m *machine) startBroker() {
	m.t.Helper()
	if m.stopBroker != nil {
		m.stopBroker()
	}
	conf := filepath.Join(m.root, "etc/mosquitto/mosquitto.conf")
	text, err := os.ReadFile(conf)
	m.must(err)
	edited := strings.NewReplacer("/etc/", m.root+"/etc/", "listener 8883\n", "listener "+m.device+" 127.0.0.1\n",
		"listener 8884\n", "listener "+m.viewer+" 127.0.0.1\n").Replace(string(text))
	if os.Geteuid() == 0 {
		edited = "user root\n" + edited // it would give up the right to read the test's folders
	}
	m.must(os.WriteFile(conf+".test", []byte(edited), 0o600))
	out, ended := &output{}, make(chan struct{})
	cmd := exec.Command("/usr/sbin/mosquitto", "-c", conf+".test")
	cmd.Stdout, cmd.Stderr = out, out
	m.must(cmd.Start())
	go func() { defer close(ended); _ = cmd.Wait() }()
	m.broker = cmd.Process
	m.stopBroker = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if m.t.Failed() {
			m.t.Logf("mosquitto said:\n%s", out)
		}
	})
	m.t.Cleanup(m.stopBroker)
	for _, p := range []string{m.device, m.viewer} {
		linktest.Until(m.t, "mosquitto listens", func() bool {
			select {
			case <-ended:
				m.t.Fatalf("mosquitto ended:\n%s", out)
			default:
			}
			c, err := net.Dial("tcp", "127.0.0.1:"+p)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
}

// startCamera starts what the installed unit says, as systemd would.
func (m *machine) startCamera() {
	m.t.Helper()
	unit, err := os.ReadFile("../../docs/systemd/camd.service") // which both ways install
	m.must(err)
	_, start, _ := strings.Cut(string(unit), "\nExecStart=")
	start, _, _ = strings.Cut(start, "\n")
	if start != "camd run" {
		m.t.Fatalf("the unit starts %q", start)
	}
	m.cameraSaid, m.cameraEnded = &output{}, make(chan error, 1)
	cmd := m.command("camd", "camd run")
	cmd.Stdout, cmd.Stderr = m.cameraSaid, m.cameraSaid
	m.must(cmd.Start())
	go func() { m.cameraEnded <- cmd.Wait() }()
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-m.cameraEnded; err != nil {
			m.t.Errorf("camd ended: %v", err)
		}
		if m.t.Failed() {
			m.t.Logf("camd said:\n%s", m.cameraSaid)
		}
	})
	linktest.Until(m.t, "the camera is at its broker, or knows none", func() bool {
		out, err := m.bash("camd", "camd status")
		return err == nil && (brokerOK(out) || strings.Contains(out, "not set up yet"))
	})
}

func brokerOK(status string) bool {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "broker" {
			return f[1] == "ok"
		}
	}
	return false
}

func (m *machine) signal(p *os.Process, s syscall.Signal) {
	m.t.Helper()
	m.must(p.Signal(s))
}

// port finds one that nobody listens on, below those that the kernel gives away.
func port(t *testing.T) string {
	t.Helper()
	for range 100 {
		p := fmt.Sprint(20000 + rand.IntN(10000)) //nolint:gosec // no secret
		l, err := net.Listen("tcp", "127.0.0.1:"+p)
		if err == nil {
			_ = l.Close()
			return p
		}
	}
	t.Fatal("no free port")
	return ""
}

// output is a buffer that a process writes while the test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
