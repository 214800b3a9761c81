package household

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	host    = "cameras.example.org"
	address = "192.0.2.10"
	inside  = "CAMD_HOUSEHOLD_INSIDE" // set in the namespaces
)

// TestMain runs the tests in namespaces: of this very program.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	for _, p := range []string{"/usr/sbin/mosquitto", "/usr/bin/turnserver", "/usr/bin/caddy", "/usr/bin/curl", "/usr/bin/unshare"} {
		if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) || os.Geteuid() != 0 {
			os.Exit(m.Run()) // each test says why it is skipped
		}
	}
	args := append([]string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", os.Args[0]}, os.Args[1:]...)
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
}

// needNamespaces skips the test where it would reach the machine.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root and the Debian packages mosquitto, coturn, caddy and curl")
	}
}

// run runs a command that must not fail, and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// privateFolders puts a copy of /etc and empty folders where the server's would be changed. Only
// this mount namespace has them.
func privateFolders(t *testing.T) {
	t.Helper()
	etc := t.TempDir()
	run(t, "cp", "-a", "/etc/.", etc)
	run(t, "mount", "--bind", etc, "/etc")
	t.Cleanup(func() { run(t, "umount", "--lazy", "/etc") }) // the folder is removed then
	for _, dir := range []string{"/var/lib/mosquitto", "/srv", "/run", "/usr/local/bin"} {
		run(t, "mount", "-t", "tmpfs", "tmpfs", dir)
	}
	run(t, "chown", "mosquitto", "/var/lib/mosquitto")
	hosts := "127.0.0.1 localhost\n::1 localhost\n" + address + " " + host + "\n"
	for path, text := range map[string]string{"/etc/hosts": hosts, "/etc/resolv.conf": "nameserver 127.0.0.1\n"} { // nobody answers there, and at once
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{
		"link set lo up", "link add net type veth peer name far", "link set net up", "link set far up", "address add " + address + "/24 dev net",
	} {
		run(t, "ip", strings.Fields(command)...)
	}
}
