package household

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/internal/homeserver"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// network is a network of its own that reaches the server alone, which forwards nothing.
func network(t *testing.T, name, server, own string) {
	t.Helper()
	for _, command := range []string{
		"netns add " + name, "link add to-" + name + " type veth peer name eth0 netns " + name,
		"address add " + server + "/30 dev to-" + name, "link set to-" + name + " up",
		"-n " + name + " address add " + own + "/30 dev eth0",
		"-n " + name + " link set lo up",
	} {
		run(t, "ip", strings.Fields(command)...)
	}
	raise(t, name, "eth0")
	run(t, "ip", "-n", name, "route", "add", "default", "via", server)
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err != nil || strings.TrimSpace(string(text)) != "0" {
		t.Fatalf("the server forwards: %s, %v", text, err)
	}
}

// raise brings a link up, and waits until nothing more of it changes by itself: Chromium gives up
// what it loads when a link changes. An IPv6 address of the kernel's own would come seconds later.
func raise(t *testing.T, network, link string) {
	t.Helper()
	run(t, "ip", "-n", network, "link", "set", link, "addrgenmode", "none", "up")
	for end := time.Now().Add(rig.Patience); !strings.Contains(run(t, "ip", "-n", network, "link", "show", link), "state UP"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the link %s of %s doesn't come up", link, network)
		}
	}
}

// person is somebody with camctl in a network.
type person struct {
	t       *testing.T
	network string
	home    string
}

// camctl runs a command, and returns what it says and whether it succeeds.
func (p person) camctl(args ...string) (string, bool) {
	p.t.Helper()
	out, err := exec.Command("ip", append([]string{"netns", "exec", p.network, "camctl", "--home", p.home}, args...)...).CombinedOutput()
	return string(out), err == nil
}

// must is camctl of what may not fail.
func (p person) must(args ...string) string {
	p.t.Helper()
	out, ok := p.camctl(args...)
	if !ok {
		p.t.Fatalf("camctl %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// A household that has a server and nothing else: a camera is set up, a guest comes, watches by
// the relay, and goes.
func story(t *testing.T, s *server) {
	network(t, "camera", "198.51.100.1", "198.51.100.2")
	network(t, "away", "203.0.113.1", "203.0.113.2")
	r := rig.NewBare(t, "[household]\nclock = \"battery\"\n[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"tone\"\n")
	r.Under = []string{"ip", "netns", "exec", "camera"}
	r.Start()
	folder := t.TempDir()
	anna, cara := person{t, "away", filepath.Join(folder, "anna")}, person{t, "away", filepath.Join(folder, "cara")}
	admin, card := filepath.Join(s.dir, "broker-admin.json"), filepath.Join(folder, "cara.card")

	r.OpenWindow("Anna")
	anna.must("pair", "--socket", r.Socket, "--label", r.Label.Text(), "--ca", filepath.Join(s.dir, "pki"),
		"--broker", "mqtts://"+host+":8883", "--viewer-broker", "mqtts://"+host+":8884")
	anna.must("status")

	key := filepath.Join(folder, "cara.id")
	if err := os.WriteFile(key, []byte(cara.must("id")), 0o600); err != nil {
		t.Fatal(err)
	}
	grant := []string{"grant", "--yes", "--to", key, "--name", "Cara"}
	for flag, want := range map[string]string{
		"--broker-admin=" + admin:                                               "name it with --card",
		"--card=" + card + " --broker-user=x":                                   "go together",
		"--card=" + card + " --broker-admin=" + key:                             "is no administration login",
		"--card=" + card + " --broker-admin=" + admin + " --broker=mqtts://x:1": "name none by other flags",
	} {
		if out, ok := anna.camctl(append(grant, strings.Fields(flag)...)...); ok || !strings.Contains(out, want) {
			t.Errorf("grant %s says %q, want %q", flag, out, want)
		}
	}
	if out := anna.must(append(grant, "--card", card)...); !strings.Contains(out, "It brings no login at the broker") {
		t.Errorf("a grant without a login says %q", out)
	}
	_ = os.Remove(card)
	if out := anna.must(append(grant, "--card", card, "--broker-admin", admin)...); strings.Contains(out, "no login") {
		t.Errorf("a grant with a login says %q", out)
	}
	cara.must("add", "--yes", card)
	cara.must("status")

	relayed(t, s, cara)
	t.Run("page", func(t *testing.T) { pageAway(t, s, anna, r.Device) })
	t.Run("local network", func(t *testing.T) { localNetwork(t, s, anna, r) })

	out := anna.must("revoke", "Cara", "--broker-admin", admin)
	if !strings.Contains(out, "The login with a password at the broker is removed, too") {
		t.Errorf("revoke says %q", out)
	}
	if out, ok := cara.camctl("status"); ok || !strings.Contains(out, "does not accept this client's login") {
		t.Errorf("Cara's status after her removal: %q", out)
	}
	anna.must("status")
	r.Until("nobody watches", func() bool { s, err := r.Status(); return err == nil && len(s.Sessions) == 0 })
	r.OutboundOnly("with a server of the household's own")
	t.Run("relay only", func(t *testing.T) { relayOnly(t, s, anna) })
}

// relayed watches where camera and viewer have no direct path.
func relayed(t *testing.T, s *server, p person) {
	if out, ok := p.camctl("watch", "--once", "--seconds", "3"); ok {
		t.Fatalf("there is a direct path: %s", out)
	}
	var c homeserver.Credentials
	text := p.must("--json", "turn-credentials", "--secret-file", filepath.Join(s.dir, "server", "turn.secret"), "--host", host, "--last", "10m", "cara")
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	credential := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(credential, []byte(c.Credential), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range c.URLs {
		out := p.must("--json", "watch", "--once", "--seconds", "4", "--ice-server", url, "--ice-user", c.UserName, "--ice-credential-file", credential)
		last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
		var stats struct{ Frames int }
		if err := json.Unmarshal([]byte(last), &stats); err != nil || stats.Frames == 0 {
			t.Errorf("by %s: %s", url, out)
		}
	}
}

// A login is made before its member is one, for a grant that a page makes.
func loginAhead(t *testing.T, s *server) {
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		t.Fatal(err)
	}
	text, ok := s.household("login", "--camera", string(device), home.FormatKey(card))
	var login home.Broker
	if err := json.Unmarshal([]byte(text), &login); !ok || err != nil {
		t.Fatalf("%s, %v", text, err)
	}
	if _, err := dial(t, login, device, keys.ID()); err != nil {
		t.Error(err)
	}
	if text, ok := s.household("login", "--camera", "x", home.FormatKey(card)); ok || !strings.Contains(text, "is no device identifier") {
		t.Errorf("of another camera: %s", text)
	}
	relayLogin(t, s)
}

// A camera's login for the relay gets credentials, hears nothing, and ends with the next one.
func relayLogin(t *testing.T, s *server) {
	login, ok := s.household("login", "--camera", string(device), "--relay")
	var user, password string
	if _, err := fmt.Sscanf(login, "machine "+host+" login %s password %s", &user, &password); !ok || err != nil {
		t.Fatalf("%s, %v", login, err)
	}
	if status, body, _ := get(t, "/turn", user, password); status != 200 {
		t.Errorf("credentials: %d, %s", status, body)
	}
	own := raw(t, home.Broker{URL: s.admin().URL, User: user, Password: password})
	for _, topic := range []string{"camd/v1/#", proto.TopicStatus(device)} {
		token := own.Subscribe(topic, 0, nil).(*mqtt.SubscribeToken)
		if !token.WaitTimeout(linktest.Patience) || token.Result()[topic] != 0x80 { // refused: MQTT 3.1.1, 3.9.3
			t.Errorf("the camera's login for the relay hears %s: %v", topic, token.Result())
		}
	}
	if text, ok := s.household("login", "--camera", string(device), "--relay"); !ok {
		t.Fatal(text)
	}
	if status, _, _ := get(t, "/turn", user, password); status != 401 {
		t.Errorf("the camera's login before this one: %d", status)
	}
	if text, ok := s.household("login", "--camera", string(device)); ok || !strings.Contains(text, "name the member's key, or say --relay") {
		t.Errorf("a login of nobody: %s", text)
	}
}
