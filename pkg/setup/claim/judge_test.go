package claim

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

const device = proto.DeviceID("abcdefghijklmnopqrstuvwxyz")

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// clock returns a Clock that reads the same all the time.
func clock(now time.Time, synchronised bool) Clock {
	return func() (time.Time, bool) { return now, synchronised }
}

// good returns what an authority would sign.
func good() *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: string(device)}, URIs: []*url.URL{urn(device)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

func TestRequest(t *testing.T) {
	key := newKey(t)
	der, err := Request(device, key)
	if err != nil {
		t.Fatal(err)
	}
	q, err := x509.ParseCertificateRequest(der)
	if err != nil || q.CheckSignature() != nil {
		t.Fatalf("%v, %v", err, q.CheckSignature())
	}
	if q.Subject.String() != "CN="+string(device) || len(q.URIs) != 1 || q.URIs[0].String() != "urn:camd:device:"+string(device) {
		t.Errorf("the request names %v %v", q.Subject, q.URIs)
	}
	if k, ok := q.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(key.Public()) {
		t.Error("the request is for another key")
	}
}

// Each fault of a chain has a sentence of its own.
func TestJudge(t *testing.T) {
	key, root := newKey(t), claimtest.NewAuthority(t, "root", nil)
	between := claimtest.NewAuthority(t, "between", root)
	now := time.Now()
	synchronised, doubtful := clock(now, true), clock(now, false)
	long := now.Add(-48 * time.Hour)
	change := func(f func(*x509.Certificate)) [][]byte {
		c := good()
		f(c)
		return root.Sign(t, c, key).Certificate
	}
	fine := root.Sign(t, good(), key).Certificate
	ended, early := root.Between(long, long.Add(time.Hour)).Sign(t, good(), key), root.Between(now.Add(time.Hour), now.Add(2*time.Hour)).Sign(t, good(), key)
	below := between.Sign(t, good(), key).Certificate
	link, top := between.Certificate.Raw, root.Certificate.Raw
	for name, c := range map[string]struct {
		chain [][]byte
		clock Clock
		want  string // empty: it is good
	}{
		"good":                    {fine, synchronised, ""},
		"with an authority":       {[][]byte{below[0], link}, synchronised, ""},
		"with all of them":        {[][]byte{below[0], link, top}, synchronised, ""},
		"no usage at all":         {change(func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = 0, nil }), synchronised, ""},
		"any usage":               {change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), synchronised, ""},
		"ended, by no real clock": {ended.Certificate, doubtful, ""},
		"early, by no real clock": {early.Certificate, doubtful, ""},

		"empty":             {nil, synchronised, "no certificate in what came back"},
		"too long":          {[][]byte{fine[0], fine[0], fine[0], fine[0], fine[0]}, synchronised, "has 5 certificates, and the camera keeps at most 4"},
		"too large":         {[][]byte{make([]byte, maxCertificate+1)}, synchronised, "reads at most 3072"},
		"garbage":           {[][]byte{[]byte("garbage")}, synchronised, "Certificate 1 of the chain can't be read"},
		"garbage behind it": {[][]byte{fine[0], []byte("garbage")}, synchronised, "Certificate 2 of the chain can't be read"},
		"another key":       {root.Sign(t, good(), nil).Certificate, synchronised, "for another key than the camera's"},
		"another device":    {change(func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("b", 26) }), synchronised, "is for \"bbbbbbbbbbbbbbbbbbbbbbbbbb\", and this camera is abcdefghijklmnopqrstuvwxyz"},
		"no name":           {change(func(c *x509.Certificate) { c.Subject.CommonName = "" }), synchronised, "is for \"\""},
		"a name that acts":  {change(func(c *x509.Certificate) { c.Subject.CommonName = "\x1b[2J" }), synchronised, `is for "\u001b[2J"`},
		"no URI":            {change(func(c *x509.Certificate) { c.URIs = nil }), synchronised, "lacks the URI name urn:camd:device:abc"},
		"another URI too":   {change(func(c *x509.Certificate) { c.URIs = append(c.URIs, urn("bbbbbbbbbbbbbbbbbbbbbbbbbb")) }), synchronised, "also names \"urn:camd:device:bbb"},
		"a client's URI too": {change(func(c *x509.Certificate) {
			c.URIs = append(c.URIs, &url.URL{Scheme: "URN", Opaque: "camd:client:x"})
		}), synchronised, "also names"},
		"an authority's":    {change(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), synchronised, "is an authority's"},
		"no signatures":     {change(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), synchronised, "does not allow signatures"},
		"a server's":        {change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), synchronised, "not for clients of TLS"},
		"ended":             {ended.Certificate, synchronised, "The certificate ended on"},
		"early":             {early.Certificate, synchronised, "valid only from"},
		"ends at its start": {root.Between(now, now).Sign(t, good(), key).Certificate, doubtful, "ends before it begins"},
		"wrong order":       {[][]byte{below[0], top, link}, synchronised, "Certificate 2 of the chain did not sign the one before it"},
		"a wrong authority": {[][]byte{below[0], link, claimtest.NewAuthority(t, "root", nil).Certificate.Raw}, synchronised, "Certificate 3 of the chain did not sign the one before it"},
	} {
		leaf, err := Wanted{device, key.Public(), c.clock}.Judge(c.chain)
		switch {
		case c.want == "" && (err != nil || leaf == nil || string(leaf.Raw) != string(c.chain[0])):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && !strings.HasSuffix(err.Error(), "."):
			t.Errorf("%s: %q is no sentence", name, err)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte("\x30\x82"), []byte{})
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	root := claimtest.NewAuthority(f, "root", nil)
	f.Add(root.Sign(f, good(), key).Certificate[0], root.Certificate.Raw)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w := Wanted{device, key.Public(), clock(time.Now(), true)}
		for _, chain := range [][][]byte{{a}, {a, b}} {
			leaf, err := w.Judge(chain)
			if err == nil && (leaf.Subject.CommonName != string(device) || string(leaf.Raw) != string(a)) {
				t.Error("a chain for somebody else is taken")
			}
		}
	})
}
