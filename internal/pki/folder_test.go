package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/docs/mosquitto"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	anna = proto.ClientID("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	bert = proto.ClientID("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA")
)

func testFolder(t *testing.T) *Folder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pki")
	if _, err := Create(dir, "test"); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// request returns what camd factory init would leave.
func request(t *testing.T, cn string, key *ecdsa.PrivateKey, uris ...string) []byte {
	t.Helper()
	r := &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		r.URIs = append(r.URIs, u)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func keyOf(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// revoked lists the serial numbers in the folder's list, which its authority signed.
func (f *Folder) revoked(t *testing.T) (l []string) {
	t.Helper()
	block, _ := pem.Decode([]byte(content(t, f.Path(brokerFolder, crlFile))))
	crl, err := x509.ParseRevocationList(block.Bytes)
	if err == nil {
		err = crl.CheckSignatureFrom(f.certificate)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !crl.NextUpdate.Equal(f.certificate.NotAfter) {
		t.Errorf("the list is out of date on %v: the broker would refuse everyone from then on", crl.NextUpdate)
	}
	for _, e := range crl.RevokedCertificateEntries {
		l = append(l, e.SerialNumber.Text(16))
	}
	return l
}

func TestFolderReplacesNothingSilently(t *testing.T) {
	f := testFolder(t)
	dev := proto.NewDeviceID()
	csr := request(t, string(dev), keyOf(t, elliptic.P256()), DeviceURI(dev))
	for name, c := range map[string]struct {
		path string
		make func(renew bool) error
	}{
		"folder": {f.Path(keyFile), func(renew bool) error {
			if renew {
				return os.WriteFile(f.Path(keyFile), []byte("x"), 0o600) // only by hand
			}
			_, err := Create(f.dir, "other")
			return err
		}},
		"server": {f.Path(brokerFolder, "server.key"), func(renew bool) error { return f.MakeServer(renew, "b.example", "::1") }},
		"device": {f.Path(deviceFolder, string(dev)+".crt"), func(renew bool) error { _, _, err := f.MakeDevice(csr, renew); return err }},
		"member": {f.Path(loginFolder, string(anna)+".pem"), func(renew bool) error { _, err := f.MakeMember(anna, renew, dev); return err }},
	} {
		if name != "folder" {
			if err := c.make(false); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		before := content(t, c.path)
		if err := c.make(false); !errors.Is(err, ErrExists) || content(t, c.path) != before {
			t.Errorf("%s, made again: %v", name, err)
		}
		if err := c.make(true); err != nil || content(t, c.path) == before {
			t.Errorf("%s, to be replaced: %v", name, err)
		}
	}
}

func TestFolderOpens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *Folder) error
		want   string // in the error; empty: it opens
	}{
		"as made":      {func(*Folder) error { return nil }, ""},
		"no key":       {func(f *Folder) error { return os.Remove(f.Path(keyFile)) }, "camops pki init"},
		"open key":     {func(f *Folder) error { return os.Chmod(f.Path(keyFile), 0o644) }, "chmod go-rwx"},
		"another key":  {func(f *Folder) error { _, _, err := WritePair(f.dir, "ca", must(t)(f.Client("x"))); return err }, "does not hold the key of the authority"},
		"no authority": {func(f *Folder) error { return os.WriteFile(f.Path(brokerFolder, "ca.crt"), nil, 0o600) }, "holds no certificate"},
	} {
		f := testFolder(t)
		if err := c.change(f); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(f.dir); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open = %v, want %q", name, err, c.want)
		}
	}
}

// A copy may lack the folders that were empty.
func TestFolderOpensWithoutItsEmptyFolders(t *testing.T) {
	f := testFolder(t)
	for _, sub := range []string{deviceFolder, loginFolder} {
		if err := os.Remove(f.Path(sub)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.MakeMember(anna, false); err != nil {
		t.Error(err)
	}
}

func TestFolderRefusesForeignRequests(t *testing.T) {
	f, dev, key := testFolder(t), proto.NewDeviceID(), keyOf(t, elliptic.P256())
	good := request(t, string(dev), key, DeviceURI(dev))
	for name, csr := range map[string][]byte{
		"nothing":       nil,
		"a certificate": f.PEM(),
		"a client":      request(t, string(anna), key, ClientURI(anna)),
		"no URI":        request(t, string(dev), key),
		"another URI":   request(t, string(dev), key, DeviceURI(proto.NewDeviceID())),
		"two URIs":      request(t, string(dev), key, DeviceURI(dev), ClientURI(anna)),
		"another curve": request(t, string(dev), keyOf(t, elliptic.P384()), DeviceURI(dev)),
		"cut short":     bytes.Replace(good, []byte("\n-----END"), []byte("AA\n-----END"), 1)[:300],
	} {
		if _, _, err := f.MakeDevice(csr, false); err == nil {
			t.Errorf("%s is signed", name)
		}
	}
	if id, _, err := f.MakeDevice(good, false); err != nil || id != dev {
		t.Errorf("a good one: %s, %v", id, err)
	}
	for _, host := range []string{"", "mqtts://b.example", "b.example:8883", "*.example"} {
		if err := f.MakeServer(false, host); err == nil {
			t.Errorf("a certificate is made for %q", host)
		}
	}
}

// Whatever was made for a member is refused once it is removed, and nobody else's.
func TestRemove(t *testing.T) {
	f, dev := testFolder(t), proto.NewDeviceID()
	var gone []string
	for _, renew := range []bool{false, true} { // two logins: both must end
		path, err := f.MakeMember(anna, renew, dev)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(path, path)
		if err != nil || pair.Leaf.NotAfter.Before(time.Now().Add(memberDays*day-day)) {
			t.Fatalf("the login is good until %v (%v)", pair.Leaf.NotAfter, err)
		}
		gone = append(gone, pair.Leaf.SerialNumber.Text(16))
	}
	if _, err := f.MakeMember(bert, false, dev, proto.NewDeviceID()); err != nil {
		t.Fatal(err)
	}
	rules := f.Path(brokerFolder, viewerRules)
	if text := content(t, rules); !strings.HasPrefix(text, string(mosquitto.ViewerRules)) || strings.Count(text, "topic read") != 4 { // one of them in a comment
		t.Errorf("the rules are %q", text)
	}
	for range 2 {
		if err := f.Remove(string(anna)); err != nil {
			t.Fatal(err)
		}
		if got := f.revoked(t); strings.Join(got, " ") != strings.Join(gone, " ") {
			t.Errorf("revoked are %v, want %v", got, gone)
		}
		want := string(mosquitto.ViewerRules)
		text := content(t, rules)
		if !strings.HasPrefix(text, want) || strings.Contains(text, string(anna)) || strings.Count(text, "topic read") != 3 {
			t.Errorf("the rules are %q", text)
		}
		if exists(f.Path(loginFolder, string(anna)+".pem")) || !exists(f.Path(loginFolder, string(bert)+".pem")) {
			t.Error("the wrong logins are left")
		}
	}
	if err := f.Remove("nobody"); err == nil || len(f.revoked(t)) != 2 {
		t.Errorf("removing nobody: %v", err)
	}
	if _, err := f.MakeMember(anna, false, dev); err != nil || len(f.revoked(t)) != 2 { // let in again
		t.Errorf("a login for who was removed: %v", err)
	}
}

func TestWithoutRulesLeavesWhatIsAnothers(t *testing.T) {
	mine, others := StatusRule(anna, "a"), StatusRule(bert, "b")
	for _, c := range []struct{ rules, want string }{
		{"pattern x\n" + mine, "pattern x\n\n"},
		{"pattern x\n" + mine + others, "pattern x\n\n" + others[1:]},
		{"pattern x\n" + others + mine + "# a note\npattern y\n", "pattern x\n" + others + "\n# a note\npattern y\n"},
		{mine + strings.ReplaceAll(mine[1:], "\n", "\r\n"), "\n"},
		{others, others},
		{"", ""},
	} {
		if got := withoutRules(c.rules, anna); got != c.want {
			t.Errorf("of %q is left %q, want %q", c.rules, got, c.want)
		}
	}
}

// What is carried to a device with its key is good for a day, and noted like all else.
func TestMakeShort(t *testing.T) {
	f, err := Create(filepath.Join(t.TempDir(), "pki"), "test")
	if err != nil {
		t.Fatal(err)
	}
	id := proto.NewDeviceID()
	cert, err := f.MakeShort(id)
	if err != nil {
		t.Fatal(err)
	}
	if l := cert.Leaf; l.Subject.CommonName != string(id) || time.Until(l.NotAfter) > 25*time.Hour || len(cert.Certificate) != 1 || len(cert.Certificate[0]) > 700 {
		t.Errorf("%s until %v, %d bytes", l.Subject.CommonName, l.NotAfter, len(cert.Certificate[0]))
	}
	if serials, err := f.serials(string(id)); err != nil || len(serials) != 1 {
		t.Errorf("noted %d times, %v", len(serials), err)
	}
}
