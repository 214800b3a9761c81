// Package interop lets a client that was written from docs/protocol.md alone, in another
// language and without a library of ours, use a real camd. It holds tests only.
package interop

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

const tables = `[household]
privacy_off = "members"
clock = "battery"
[capture]
source = "synthetic"
[audio]
source = "tone"
[panel]
live_led = "none"
`

func needsNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node, which Debian has in the package nodejs")
	}
}

// TestVectors has the other client read the vectors that the document names.
func TestVectors(t *testing.T) {
	needsNode(t)
	if out, err := exec.CommandContext(t.Context(), "node", "vectors.mjs", "../..").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAClientOfTheDocumentAlone pairs, is told the status, begins a session, takes
// pictures, chooses settings, gives the camera another certificate, lets guests in and out, and proves the log. The camera card
// that it makes is read by our own client.
func TestAClientOfTheDocumentAlone(t *testing.T) {
	needsNode(t)
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl, which signs the camera's request")
	}
	r := rig.New(t, tables)
	r.Start()
	r.Online()
	h := hand{t, t.TempDir()}
	h.login(r, proto.ClientID(h.node("id")), "login.crt", "login.key")
	guest := h.guest(r)
	h.authority(r)
	r.OpenWindow("Anna")
	h.node("household", r.Socket, r.Label.Text())
	h.isIn(r, guest)
}

// hand is the folder by which we and the other client hand things over.
type hand struct {
	*testing.T
	dir string
}

func (h hand) write(file string, data []byte) {
	h.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, file), data, 0o600); err != nil {
		h.Fatal(err)
	}
}

// guest makes the key of someone who is to be let in.
func (h hand) guest(r *rig.Rig) *home.Keys {
	h.Helper()
	keys, err := home.NewKeys()
	if err != nil {
		h.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		h.Fatal(err)
	}
	h.write("guest.key", []byte(home.FormatKey(card)))
	h.login(r, keys.ID(), "guest.crt", "guest-login.key")
	return keys
}

func (h hand) login(r *rig.Rig, who proto.ClientID, certificate, key string) {
	h.Helper()
	login := r.LoginOf(who)
	h.write(certificate, []byte(login.Certificate))
	h.write(key, []byte(login.Key))
}

// authority hands over that of the broker.
func (h hand) authority(r *rig.Rig) {
	h.Helper()
	for name, path := range map[string]string{"ca.crt": "broker/ca.crt", "ca.key": "ca.key"} {
		text, err := os.ReadFile(filepath.Join(r.PKI, path))
		if err != nil {
			h.Fatal(err)
		}
		h.write(name, text)
	}
}

// isIn opens the camera card that the other client wrote, and uses it.
func (h hand) isIn(r *rig.Rig, keys *home.Keys) {
	h.Helper()
	card, err := os.ReadFile(filepath.Join(h.dir, "guest.card"))
	if err != nil {
		h.Fatal(err)
	}
	home, err := home.Open(h.TempDir())
	if err != nil {
		h.Fatal(err)
	}
	in, err := home.OpenCard(card, keys)
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.Context(), rig.Patience)
	defer cancel()
	a, err := r.Dial(keys, in.Record).Call(ctx, proto.OpMembers, "", nil)
	var members proto.MembersAnswer
	if err == nil {
		err = json.Unmarshal(a.Body, &members)
	}
	if err != nil || len(members.Members) != 2 || members.Members[0].Name != "Anna" || members.Members[1].Name != "Cara" {
		h.Errorf("the guest sees %+v, %v", members, err)
	}
}

// node runs the client, and returns what it printed.
func (h hand) node(command string, args ...string) string {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), 2*rig.Patience)
	defer cancel()
	// One that hangs is asked where it is before it is killed.
	node := []string{"--report-on-signal", "--report-filename=stderr", "main.mjs", command, h.dir}
	cmd := exec.CommandContext(ctx, "node", append(node, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGUSR2) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.Fatalf("node %s: %v\n%s", command, err, out)
	}
	h.Logf("%s", out)
	return strings.TrimSpace(string(out))
}
