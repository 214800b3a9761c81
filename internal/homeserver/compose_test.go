package homeserver

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type service struct {
	Image    string
	Network  string `yaml:"network_mode"`
	Restart  string
	User     string
	ReadOnly bool     `yaml:"read_only"`
	CapDrop  []string `yaml:"cap_drop"`
	Command  []string
	Volumes  []string
}

// has returns the file of the server's folder that a container sees at a path.
func (c service) has(s Server, at string) string {
	for _, v := range c.Volumes {
		from, to, _ := strings.Cut(v, ":")
		to = strings.TrimSuffix(to, ":ro")
		if rest, ok := strings.CutPrefix(at, to); ok && (rest == "" || rest[0] == '/') {
			return filepath.Join(s.Path("server"), filepath.FromSlash(from+rest))
		}
	}
	return ""
}

// TestCompose compares what the compose file names with what Create lays out, and with what the
// configurations in the containers name. test/household starts programs with it.
func TestCompose(t *testing.T) {
	s, err := Create(filepath.Join(t.TempDir(), "camd-household"), "cameras.example.org", Page{Config: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.Path("server", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true) // a misspelled member would mean nothing
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	byHand := []string{"./www", "./camops"} // as the head of the file says
	for _, name := range byHand {
		if head, _, _ := strings.Cut(string(text), "services:"); !strings.Contains(head, strings.TrimPrefix(name, "./")) {
			t.Errorf("nothing says that %s has to be put there", name)
		}
		if err := os.Mkdir(s.Path("server", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pinned := regexp.MustCompile(`^docker\.io/[a-z/-]+:[0-9]+\.[0-9]+[0-9a-z.-]*$`)
	for name, c := range file.Services {
		if !pinned.MatchString(c.Image) || c.Network != "host" {
			t.Errorf("%s: image %q is not pinned, or its network %q is not the host's", name, c.Image, c.Network)
		}
		for _, v := range c.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if _, named := file.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(s.Path("server", filepath.FromSlash(from))); err != nil || !path.IsAbs(to) {
				t.Errorf("%s mounts %s: %v", name, v, err)
			}
		}
		for _, word := range c.Command {
			if file := c.has(s, word); path.IsAbs(word) && !strings.HasPrefix(word, "/tmp/") && file == "" {
				t.Errorf("%s is started with %s, which is not mounted", name, word)
			}
		}
	}
	for _, x := range []struct{ service, config, at, names string }{
		{"mosquitto", "mosquitto.conf", "/mosquitto/config/mosquitto.conf", `(?m)^(?:cafile|crlfile|certfile|keyfile|acl_file|plugin_opt_config_file) (\S+)$`},
		{"coturn", "turnserver.conf", "/etc/coturn/turnserver.conf", `(?m)^(?:cert|pkey|userdb)=(\S+)$`}, // none
		{"caddy", "Caddyfile", "/etc/caddy/Caddyfile", `(?m)^\s*root \* (\S+)$`},
	} {
		c := file.Services[x.service]
		if got := c.has(s, x.at); got != s.Path("server", x.config) {
			t.Errorf("%s has %q at %s, want %s", x.service, got, x.at, x.config)
		}
		config, err := os.ReadFile(s.Path("server", x.config))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(x.names).FindAllStringSubmatch(string(config), -1)
		if len(names) == 0 && x.service != "coturn" {
			t.Errorf("no file is found in %s", x.config)
		}
		for _, m := range names {
			if _, err := os.Stat(c.has(s, m[1])); err != nil {
				t.Errorf("%s names %s, which its container does not have: %v", x.config, m[1], err)
			}
		}
	}
	credentials := file.Services["credentials"]
	for _, at := range []string{"/camops", "/turn.secret", "/var/lib/mosquitto/camd-logins.json"} {
		if _, err := os.Stat(credentials.has(s, at)); err != nil {
			t.Errorf("the service that gives credentials has no %s: %v", at, err)
		}
	}
}
