package household

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/rig"
)

// Parts of the page.
const (
	picture = `document.querySelector('.frame video')`
	live    = `document.querySelector('.frame')?.dataset.state === 'live'`
)

// openTab starts Chromium in a network. It trusts the server's certificate.
func openTab(t *testing.T, network string, flags ...chromedp.ExecAllocatorOption) *chromium.Tab {
	t.Helper()
	inside := filepath.Join(t.TempDir(), "chromium")
	script := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s %s \"$@\"\n", network, chromium.Path)
	if err := os.WriteFile(inside, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return chromium.NewTab(t, append(flags, chromedp.ExecPath(inside), chromedp.Flag("ignore-certificate-errors-spki-list", authority(t)))...)
}

// authority is the hash of the key that has signed the server's certificate for browsers, as
// Chromium's flag takes it.
func authority(t *testing.T) string {
	t.Helper()
	c, err := tls.Dial("tcp", host+":443", &tls.Config{MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	sent := c.ConnectionState().PeerCertificates
	sum := sha256.Sum256(sent[len(sent)-1].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// joinPage lets the key of a page in as an owner's, as docs/household.md says, and returns the
// page, which has added the camera without anything typed.
func joinPage(t *testing.T, s *server, anna person, name string, camera proto.DeviceID, network string, flags ...chromedp.ExecAllocatorOption) *chromium.Tab {
	t.Helper()
	b := openTab(t, network, flags...)
	b.Load("https://" + host + "/#/key")
	b.Await(`Boolean(document.querySelector('camd-key camd-qr')?.text)`)
	dir := t.TempDir()
	key, card := filepath.Join(dir, "key"), filepath.Join(dir, "card")
	if err := os.WriteFile(key, []byte(chromium.Eval[string](b, `document.querySelector('camd-key camd-qr').text`)), 0o600); err != nil {
		t.Fatal(err)
	}
	anna.must("grant", "--yes", "--to", key, "--name", name, "--role", "owner", "--card", card, "--broker-admin", filepath.Join(s.dir, "broker-admin.json"), string(camera))
	text, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	b.Load("https://" + host + "/#card=" + strings.NewReplacer("+", "%2B", "=", "%3D", "\n", "").Replace(string(text)))
	b.Press("They are the same")
	b.Await(live)
	return b
}

// goesOn shows that pictures come, one after the other.
func goesOn(b *chromium.Tab) {
	b.T.Helper()
	first := b.Number(picture, 0)
	if last := b.Number(picture, first+5); last-first > 1000 {
		b.T.Errorf("the pictures %d and %d are no sequence", first, last)
	}
}

// takes waits until media takes a way of this kind, such as "relay to host", and reports any
// other kind that was found.
func takes(b *chromium.Tab, kind string) {
	b.T.Helper()
	pattern := "^(" + kind + ")$"
	b.Await(fmt.Sprintf(`window.ways(true).then((w) => w.length === 1 && new RegExp(%q).test(w[0]))`, pattern))
	for _, way := range chromium.Eval[[]string](b, `window.ways()`) {
		if !regexp.MustCompile(pattern).MatchString(way) {
			b.T.Errorf("there is a way from %s", way)
		}
	}
}

// pageAway watches in a browser that has no direct path to the camera.
func pageAway(t *testing.T, s *server, anna person, camera proto.DeviceID) {
	network(t, "page", "203.0.113.5", "203.0.113.6")
	b := joinPage(t, s, anna, "Dora", camera, "page")
	goesOn(b)
	takes(b, "relay to (host|prflx)")
	b.Load("about:blank") // the page says goodbye
}

// relayOnly has a camera whose address no viewer learns, and which has neither the relay's secret
// nor credentials that last.
func relayOnly(t *testing.T, s *server, anna person) {
	network(t, "hidden", "198.51.100.5", "198.51.100.6")
	file := filepath.Join(t.TempDir(), "credentials.json")
	r := rig.NewBare(t, "[household]\nclock = \"battery\"\n[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"tone\"\n"+
		"[live]\nrelay_only = true\n[[live.ice_servers]]\nurls = [\"turn:"+host+":3478?transport=udp\", \"turn:"+host+":3478?transport=tcp\"]\ncredentials_file = \""+file+"\"\n")
	r.Under = []string{"ip", "netns", "exec", "hidden"}
	r.Start()
	r.OpenWindow("Anna")
	anna.must("pair", "--socket", r.Socket, "--label", r.Label.Text(), "--name", "porch", "--ca", filepath.Join(s.dir, "pki"),
		"--broker", "mqtts://"+host+":8883", "--viewer-broker", "mqtts://"+host+":8884")

	if out, ok := anna.camctl("watch", "--once", "--seconds", "3", "porch"); ok || !strings.Contains(out, "Something failed inside the camera") {
		t.Errorf("without credentials: %s", out)
	}
	if c := r.Condition("live"); c.State != "degraded" || !strings.Contains(c.Reason, "has no TURN credentials yet") {
		t.Errorf("the status says %+v", c)
	}
	login, ok := s.household("login", "--camera", string(r.Device), "--relay")
	if !ok {
		t.Fatal(login)
	}
	s.runRelayUnit(t, login, filepath.Dir(file))
	anna.must("watch", "--once", "--seconds", "3", "porch")
	if c := r.Condition("live"); c.State != "ok" {
		t.Errorf("the status says %+v", c)
	}

	b := joinPage(t, s, anna, "Eve", r.Device, "away")
	goesOn(b)
	takes(b, ".* to (relay|prflx)")
	learned := chromium.Eval[[]string](b, `window.spied.at(-1).getStats().then((all) => [...all.values()].filter((s) => s.type === 'remote-candidate').map((s) => s.address))`)
	if len(learned) == 0 || slices.ContainsFunc(learned, func(a string) bool { return a != address }) {
		t.Errorf("the page learns the addresses %v, want the relay's alone", learned)
	}
}

// runRelayUnit does what systemd does with camd-relay.service, in the network of the camera.
func (s *server) runRelayUnit(t *testing.T, login, into string) {
	t.Helper()
	t.Setenv("CURL_CA_BUNDLE", os.Getenv("SSL_CERT_FILE")) // Caddy's authority, as a camera knows a public one
	text, err := os.ReadFile(filepath.Join(s.dir, "camera", "camd-relay.service"))
	if err != nil {
		t.Fatal(err)
	}
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "netrc"), []byte(login+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(text)) {
		command, found := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=")
		if found {
			commands++
			command = strings.NewReplacer("%d", credentials, "%t/camd-relay", into).Replace(command)
			run(t, "ip", append([]string{"netns", "exec", "hidden"}, strings.Fields(command)...)...)
		}
	}
	if commands != 2 {
		t.Errorf("the unit has %d commands", commands)
	}
}
