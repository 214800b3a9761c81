package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/linktest"
)

// From nothing to a removed member, by the commands alone.
func TestPKI(t *testing.T) {
	t.Chdir(t.TempDir())
	id, err := identity.Init("state", identity.TPM{Use: identity.TPMOff})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		t.Fatal(err)
	}
	key, name := home.FormatKey(card), string(keys.ID())
	if err := os.WriteFile("id.txt", []byte("name:   "+name+"\nwords:  "+home.Words(keys.ID())+"\n\n"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, unknown := string(linktest.NewClientID()), string(linktest.NewClientID())
	for _, c := range []struct {
		args string
		code int
		want string // in what is said
	}{
		{"broker b.example", 1, "make one with camops pki init"},
		{"init --dir state", 1, "state is there already and holds no authority: remove it, or name another folder"},
		{"init", 0, "Keep the folder to yourself"},
		{"init", 1, "is there already"},
		{"broker", 2, "is required"},
		{"broker b.example:8883", 1, "is no host name"},
		{"broker b.example 192.0.2.1", 0, "mqtts://b.example:8884"},
		{"broker b.example", 1, "--renew replaces it"},
		{"broker --renew b.example", 0, "/etc/mosquitto/camd"},
		{"broker --renew 2001:db8::1", 0, "viewers mqtts://[2001:db8::1]:8884."},
		{"member -- " + name, 1, "0 cameras have a certificate here"},
		{"device no.csr", 1, "no.csr can't be read: no such file or directory"},
		{"device camd-pki/ca.key", 1, "this is no certificate request"},
		{"device state/identity/device.csr", 0, "camd-pki/devices/" + string(id.DeviceID()) + ".crt"},
		{"device state/identity/device.csr", 1, "--renew replaces it"},
		{"member anna", 1, "This is not a key"},
		{"member -- " + key[:len(key)-5], 1, "cut short"},
		{"member --camera x -- " + name, 1, "is no device identifier"},
		{"member --renew id.txt", 0, home.Words(keys.ID())},
		{"remove id.txt", 0, "systemctl restart mosquitto"},
		{"member -- " + key, 0, home.Words(keys.ID())},
		{"member -- " + name, 1, "--renew makes a new one"},
		{"member -- " + other, 0, "systemctl reload mosquitto"},
		{"remove anna", 1, "This is not a key"},
		{"remove -- " + string(linktest.NewClientID()), 1, "no certificate was made for"},
		{"remove -- " + key, 0, "systemctl restart mosquitto"},
		{"remove -- -" + unknown[1:], 1, "no certificate was made for -" + unknown[1:]}, // a name may begin with a hyphen
		{"remove -- " + string(id.DeviceID()), 0, "crl.pem"},
	} {
		code, out, errOut := run(t, append([]string{"pki"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) || strings.Count(errOut, "\n") > 1 {
			t.Errorf("%s: code %d, said %q, want %d and %q", c.args, code, out+errOut, c.code, c.want)
		}
	}
	if left, err := filepath.Glob("camd-pki/*/*.pem"); err != nil || len(left) != 2 {
		t.Errorf("left are %v (%v), want the list of revoked certificates and one login", left, err)
	}
	if info, err := os.Stat("camd-pki"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v)", info.Mode(), err)
	}
}
