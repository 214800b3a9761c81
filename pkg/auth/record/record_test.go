package record

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// newRecord makes the record of a device like a factory's.
func newRecord(t testing.TB) Record {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	device := proto.NewDeviceID()
	label, err := pairing.NewLabel(device, pairing.NewSecret(), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: string(device)}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotAfter: time.Now().AddDate(1, 0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	if err != nil {
		t.Fatal(err)
	}
	return Record{Label: label, Class: proto.ClassFile, Certificate: cert, Request: request, Camd: "1.2.3"}
}

func encode(t testing.TB, r Record) []byte {
	t.Helper()
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordComesBack(t *testing.T) {
	r := newRecord(t)
	text := encode(t, r)
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Label.Text() != r.Label.Text() || got.Class != r.Class || got.Camd != r.Camd ||
		!bytes.Equal(got.Certificate, r.Certificate) || !bytes.Equal(got.Request, r.Request) {
		t.Errorf("read %+v, wrote %+v", got, r)
	}
	if !bytes.Contains(text, []byte(`"label": "CAMD:1?d=`+string(r.Label.Device)+`&s=`)) || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("wrote %s", text)
	}
	if again := encode(t, got); !bytes.Equal(again, text) {
		t.Error("the same record is written in another way")
	}
}

// Whatever belongs to another device is found: such a label would let nobody pair.
func TestWrongRecords(t *testing.T) {
	one, two := encode(t, newRecord(t)), encode(t, newRecord(t))
	of := func(text []byte) (m map[string]any) {
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	with := func(name string, value any) string {
		m := of(one)
		m[name] = value
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	other := of(two)
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", "not all of it"},
		"no JSON":              {"CAMD:1?d=", "not all of it"},
		"half":                 {string(one[:len(one)/2]), "not all of it"},
		"two":                  {string(one) + string(two), "not all of it"},
		"an array":             {"[]", "not all of it"},
		"huge":                 {strings.Repeat(" ", MaxSize) + string(one), "more than 64 KiB"},
		"no version":           {with("v", nil), "not all of it"},
		"later version":        {with("v", 2), "of a later version"},
		"no label":             {with("label", ""), "label is damaged"},
		"label with a break":   {with("label", of(one)["label"].(string)+"\n"), "different devices"},
		"other's label":        {with("label", other["label"]), "another key than its certificate"},
		"other's device":       {with("device", other["device"]), "different devices"},
		"other's typed label":  {with("typed", other["typed"]), "different devices"},
		"other's digest":       {with("spki", other["spki"]), "different devices"},
		"other's request":      {with("request", other["request"]), "for different keys"},
		"other's certificate":  {with("certificate", other["certificate"]), "for different keys"},
		"no certificate":       {with("certificate", ""), "no certificate in PEM"},
		"certificate's rest":   {with("certificate", of(one)["certificate"].(string)+"x"), "no certificate in PEM"},
		"request for certs":    {with("certificate", of(one)["request"]), "no certificate in PEM"},
		"an empty certificate": {with("certificate", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), "certificate can't be read"},
		"an empty request": {with("request", "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"),
			"request can't be read"},
		"class": {with("identity", "C3"), "where the key lies"},
	} {
		_, err := Parse([]byte(c.text))
		if !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTheSecretDoesNotPrint(t *testing.T) {
	r := newRecord(t)
	_, secret, _ := strings.Cut(r.Label.Text(), "&s=")
	secret, _, _ = strings.Cut(secret, "&k=")
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "record", r)
	for _, text := range []string{fmt.Sprint(r), fmt.Sprintf("%+v", r), fmt.Sprintf("%v", &r), b.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("the secret is in %q", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	r := newRecord(f)
	f.Add(encode(f, r))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Errorf("%v is no ErrRecord", err)
			}
			return
		}
		if again, err := r.Encode(); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		} else if _, err := Parse(again); err != nil {
			t.Errorf("what was written can't be read: %v", err)
		}
	})
}
