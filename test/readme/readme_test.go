package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/link/linktest"
)

// special are the commands that end by a signal only, with what they have said by then,
// and those that no test can run, with the reason.
var special = []struct {
	command string
	says    string
	why     string
}{
	{command: "make build release", why: "the programs are built once, for this machine"},
	{command: "make image", why: "there is no Buildroot; buildroot/check.sh makes the same of placeholders"},
	{command: "sudo dd ", why: "there is no disk"},
	{command: "sudo mount /dev/sdX7 /mnt", why: "the card is a folder"},
	{command: "sudo umount /mnt", why: "the same"},
	{command: "camctl talk", why: "there is no microphone"},
	{command: "camctl watch", says: "first picture "},
	{command: "camctl events --follow", says: "Following "},
}

// TestReadmeCanBeFollowed runs the sections of the README line by line, the camera by hand.
func TestReadmeCanBeFollowed(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, section := range []string{"## Put it on a device", "### By hand", "## Who may see and hear"} {
		m.followAll(section)
	}
	// What Cara had ends at the broker, and nobody else's.
	if out, err := m.bash("cara", "camctl status"); err == nil || !strings.Contains(out, "certificate") {
		t.Errorf("a removed member's login: %v\n%s", err, out)
	}
	if out, err := m.bash("anna", "camctl status"); err != nil {
		t.Errorf("the owner, afterwards: %v\n%s", err, out)
	}
}

// TestReadmeSetsUpACamera runs how an owner sets up a camera that knows no broker.
func TestReadmeSetsUpACamera(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.followAll("## Set up a camera")
}

// TestReadmePreparesACard runs what comes before, and what puts a camera onto the card of an
// image; the card's folders then do as a camera's.
func TestReadmePreparesACard(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.must(os.Mkdir(filepath.Join(m.root, "mnt"), 0o755))
	for _, section := range []string{"## Put it on a device", "### The image"} {
		m.followAll(section)
	}
	// /etc/camd is a link to /data/etc there, and /var/lib/camd is /data/camd.
	m.must(os.Symlink(filepath.Join(m.root, "mnt/etc"), filepath.Join(m.root, "etc/camd")))
	m.must(os.Symlink(filepath.Join(m.root, "mnt/camd"), filepath.Join(m.root, "var/lib/camd")))
	m.must(os.Link(filepath.Join(m.work, "dist/camd-linux-arm64"), filepath.Join(m.root, "usr/local/bin/camd")))
	m.startCamera()
	if out, err := m.bash("anna", "ls /etc/camd/logins/NAME.pem"); err != nil {
		t.Errorf("the owner's login is not on the card: %v\n%s", err, out)
	}
}

func (m *machine) followAll(section string) {
	m.t.Helper()
	text, err := os.ReadFile("../../README.md")
	m.must(err)
	lines := commands(section, string(text))
	if len(lines) < 8 {
		m.t.Fatalf("%s has only the commands %q", section, lines)
	}
	for _, line := range lines {
		m.follow(line)
	}
}

// commands lists the command lines of a section's code blocks, up to the next heading.
func commands(section, text string) (l []string) {
	_, text, _ = strings.Cut(text, section+"\n")
	text = text[:min(len(text), firstHeading.FindStringIndex(text + "\n## end")[0])]
	for _, line := range strings.Split(text, "\n") {
		code, ok := strings.CutPrefix(line, "    ")
		switch n := len(l) - 1; {
		case !ok:
		case n >= 0 && strings.HasSuffix(l[n], "\\"):
			l[n] += "\n" + code
		default:
			l = append(l, code)
		}
	}
	return l
}

// follow runs one command as the README's reader would, who puts names in their places.
func (m *machine) follow(line string) {
	m.t.Helper()
	for _, s := range special {
		if !strings.HasPrefix(line, s.command) {
			continue
		}
		if s.says != "" {
			m.watch(line, s.says)
		}
		return
	}
	who := "anna"
	if strings.Contains(line, "# the guest") {
		who = "cara"
	}
	switch {
	case strings.Contains(line, "systemctl restart mosquitto"):
		m.startBroker()
	case strings.Contains(line, "systemctl reload mosquitto"):
		m.signal(m.broker, syscall.SIGHUP)
	case strings.Contains(line, "systemctl enable --now camd"):
		m.startCamera()
	default:
		out, err := m.bash(who, line)
		if err != nil {
			m.t.Fatalf("%s\n%v\n%s", line, err, out)
		}
		m.learn(out)
	}
}

var (
	firstHeading = regexp.MustCompile(`(?m)^##+ `)

	label = regexp.MustCompile(`label: +(CAMD:1\?\S+)`)
	key   = regexp.MustCompile(`CAMD-KEY:1\?\S+`)
	name  = regexp.MustCompile(`(?m)^name: +(\S+)`)
)

// learn keeps what a person would write down.
func (m *machine) learn(out string) {
	if f := label.FindStringSubmatch(out); f != nil {
		m.label = f[1]
	}
	if f := key.FindString(out); f != "" {
		m.key = f
	}
	if f := name.FindStringSubmatch(out); f != nil {
		m.name = f[1]
	}
}

// watch runs a command until it has said something, and ends it as Ctrl-C does.
func (m *machine) watch(line, says string) {
	m.t.Helper()
	out := &output{}
	cmd := m.command("anna", line)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s said:\n%s", line, out)
		}
	}()
	linktest.Until(m.t, line+" says "+says, func() bool {
		select {
		case err := <-ended:
			m.t.Fatalf("%s ended: %v\n%s", line, err, out)
		default:
		}
		return strings.Contains(out.String(), says)
	})
	m.signal(cmd.Process, syscall.SIGINT)
	if err := <-ended; err != nil {
		m.t.Errorf("%s, ended by Ctrl-C: %v\n%s", line, err, out)
	}
}

func (m *machine) bash(who, line string) (string, error) {
	cmd := m.command(who, line)
	cmd.Stdin = strings.NewReader("y\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) command(who, line string) *exec.Cmd {
	line = m.names.Replace(line)
	line = strings.NewReplacer("'CAMD:1?d=…&s=…&k=…'", "'"+m.label+"'", " KEY", " '"+m.key+"'", "/NAME.pem", "/"+m.name+".pem").Replace(line)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", "exec 3>&-; "+line)
	if one := !strings.ContainsAny(line, "|\n>"); one { // so that a signal reaches it
		cmd = exec.Command("bash", "-euc", "exec "+line)
	}
	cmd.Dir = m.work
	cmd.Env = append(os.Environ(), "PATH="+m.shims+":"+filepath.Join(m.root, "usr/local/bin")+":"+os.Getenv("PATH"), "WHO="+who, "USER=anna")
	return cmd
}
