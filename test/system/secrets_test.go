package system

import (
	"context"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// At no level does the log hold what opens anything.
func TestNoSecretIsLoggedAtDebugLevel(t *testing.T) {
	const password = "correct-horse-battery"
	r := rig.New(t, "log_level = \"debug\"\n"+synthetic+
		"[[live.ice_servers]]\nurls = [\"turn:127.0.0.1:9?transport=tcp\"]\nusername = \"camd\"\ncredential = \""+password+"\"\n")
	r.Start()
	r.Online()
	owner := r.Owner()
	guest := r.Invite(owner, proto.Grant{Name: "Carl"})
	mustWatch(t, guest).picture(t)
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if _, err := owner.Call(ctx, proto.OpLive, "", map[string]string{"sdp": "a=ice-pwd:" + password}); err == nil {
		t.Error("an offer that is none was taken")
	}
	secrets := map[string]string{"the TURN password": password, "an ICE password": "ice-pwd", "a key in PEM": "PRIVATE KEY"}
	_, label, _ := strings.Cut(r.Label.Text(), "&s=")
	secrets["the label's secret"], _, _ = strings.Cut(label, "&")
	for _, pattern := range []string{"identity/*.key", "household/*/*.key", "store/*.key"} {
		files, err := filepath.Glob(filepath.Join(r.State(), pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			key, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(file)
			if lines := strings.Split(string(key), "\n"); len(lines) > 2 && strings.HasPrefix(lines[0], "-----") {
				secrets[name] = lines[1]
				continue
			}
			secrets[name+" in hex"], secrets[name+" in base64"] = hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key)
		}
	}
	secrets["the name at the broker"] = clientID(t, r)
	status, err := r.Run("status", "--json")
	if err != nil {
		t.Error(err)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	log := r.Log() + string(status)
	if !strings.Contains(log, "level=DEBUG") {
		t.Error("nothing is logged at this level")
	}
	for what, secret := range secrets {
		if len(secret) < 6 || strings.Contains(log, secret) {
			t.Errorf("the log holds %s, or the test looks for too little: %q", what, secret)
		}
	}
}

// clientID is the camera's MQTT client identifier. docs/protocol.md 1.7.
func clientID(t *testing.T, r *rig.Rig) string {
	text, err := os.ReadFile(filepath.Join(r.State(), "identity", "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	id, err := hkdf.Key(sha256.New, scalar, []byte(r.Label.Device), "camd/mqtt/client-id/1", 16)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(id)
}
