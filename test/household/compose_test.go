package household

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/camd-project/camd/test/rig"
)

// contained is a program in a container, with what the compose file leaves to its image.
//
// The image of mosquitto starts it as root, and it becomes 1883. As that it reads its files again
// when it is told to.
//
//   - mosquitto: https://github.com/eclipse-mosquitto/mosquitto/tree/master/docker/2.0
//   - coturn: https://github.com/coturn/coturn/tree/master/docker/coturn
//   - caddy: https://github.com/caddyserver/caddy-docker
type contained struct {
	name, user, address string
	command             []string
}

var containers = []contained{
	{"mosquitto", "1883", "127.0.0.1:9001", []string{"mosquitto", "-c", "/mosquitto/config/mosquitto.conf"}},
	{"coturn", "65534", address + ":3478", []string{"turnserver"}},
	{"credentials", "", "127.0.0.1:8089", nil},
	{"caddy", "0", "127.0.0.1:443", []string{"env", "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data",
		"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"}},
}

// compose runs Debian's programs as the compose file would have the containers run theirs: with
// its mounts, users and commands, after what its head tells one to do. There are no images here.
func compose(t *testing.T, of *server) {
	here := *of
	here.t = t
	s := &here
	folder := filepath.Join(s.dir, "server")
	text, err := os.ReadFile(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			User             string
			Command, Volumes []string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Services) != len(containers) {
		t.Fatalf("the compose file has %d services, and %d are known here (%v)", len(file.Services), len(containers), err)
	}
	run(t, "camctl", "viewer", "export", filepath.Join(folder, "www"))
	run(t, "cp", filepath.Join(folder, "config.json"), filepath.Join(folder, "www"))
	run(t, "cp", rig.Build(t, "camops"), filepath.Join(folder, "camops"))
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "#   "); ok {
			run(t, "sh", "-ec", "cd "+folder+"; "+command)
		}
	}
	localCerts(t, filepath.Join(folder, "Caddyfile"))
	for _, stop := range s.stops {
		stop()
	}
	for _, own := range containers {
		c := file.Services[own.name]
		root := container(t, own.name, folder, c.Volumes)
		user, _, _ := strings.Cut(c.User, ":")
		if user == "" {
			user = own.user
		}
		args := append([]string{"chroot", "--userspec=" + user + ":" + user, root}, own.command...)
		s.start(own.name, "", own.address, append(args, c.Command...)...)
		if own.name == "caddy" {
			s.awaitCertificate()
			t.Setenv("SSL_CERT_FILE", filepath.Join(root, "data/caddy/pki/authorities/local/root.crt"))
		}
	}
	if said, ok := s.household("check"); !ok || strings.Count(said, " works") != 6 {
		t.Errorf("check says\n%s", said)
	}
}

// container makes the root of a container: the programs of this machine, which can't be changed
// there, and the mounts. It lies in memory and ends with the namespace: nothing removes files
// below it, so nothing can remove those that are mounted there.
func container(t *testing.T, name, folder string, volumes []string) string {
	t.Helper()
	root := filepath.Join("/run/containers", name)
	for _, dir := range []string{"usr", "etc", "dev", "proc", "tmp"} {
		run(t, "mkdir", "-p", filepath.Join(root, dir))
	}
	run(t, "chmod", "1777", filepath.Join(root, "tmp"))
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} { // into usr, as on Debian
		run(t, "cp", "-a", "/"+link, root)
	}
	for _, f := range []string{"passwd", "group", "hosts", "nsswitch.conf", "ssl", "ld.so.cache"} {
		run(t, "cp", "-a", "/etc/"+f, filepath.Join(root, "etc"))
	}
	run(t, "mount", "--bind", "-o", "ro", "/usr", filepath.Join(root, "usr"))
	run(t, "mount", "--bind", "/dev", filepath.Join(root, "dev"))
	run(t, "mount", "--bind", "/proc", filepath.Join(root, "proc"))
	for _, v := range volumes {
		from, to, _ := strings.Cut(v, ":")
		to, readOnly := strings.CutSuffix(filepath.Join(root, to), ":ro")
		if !strings.HasPrefix(from, ".") { // a volume of the engine's own
			run(t, "mkdir", "-p", to)
			continue
		}
		from = filepath.Join(folder, from)
		run(t, "mkdir", "-p", filepath.Dir(to))
		if info, err := os.Stat(from); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			run(t, "mkdir", "-p", to)
		} else {
			run(t, "touch", to)
		}
		options := "rw"
		if readOnly {
			options = "ro"
		}
		run(t, "mount", "--bind", "-o", options, from, to)
	}
	return root
}
