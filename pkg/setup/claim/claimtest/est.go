// Package claimtest is an enrolment server (EST, RFC 7030) for tests.
package claimtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// Server is an enrolment server whose root authority has another one below it, which
// signs.
type Server struct {
	URL      string // https://127.0.0.1:port
	Root     *Authority
	Signs    *Authority // below Root
	Lifetime time.Duration

	// Before is asked first, and answers instead if it returns true.
	Before func(http.ResponseWriter, *http.Request) bool

	tb        testing.TB
	mu        sync.Mutex
	passwords map[string]string // user to one-time password
	asked     []string          // "simpleenroll" and so on
}

// NewServer starts one that ends with the test.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	root := NewAuthority(tb, "root", nil)
	return newServer(tb, root, NewAuthority(tb, "issuing", root))
}

// NewServerOf starts one with a single authority, that ends with the test.
func NewServerOf(tb testing.TB, root *Authority) *Server {
	tb.Helper()
	return newServer(tb, root, root)
}

func newServer(tb testing.TB, root, signs *Authority) *Server {
	tb.Helper()
	s := &Server{tb: tb, Root: root, Signs: signs, Lifetime: time.Hour, passwords: map[string]string{}}
	h := httptest.NewUnstartedServer(s)
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	own := s.Root.Sign(tb, &x509.Certificate{Subject: pkix.Name{CommonName: "est"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, nil)
	h.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	h.StartTLS()
	tb.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Password makes a one-time password good.
func (s *Server) Password(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passwords[user] = password
}

// Asked lists the operations that were asked for.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const folder = "/.well-known/est/"
	if len(r.URL.Path) < len(folder) || r.URL.Path[:len(folder)] != folder {
		http.NotFound(w, r)
		return
	}
	op := r.URL.Path[len(folder):]
	s.mu.Lock()
	s.asked = append(s.asked, op)
	s.mu.Unlock()
	if s.Before != nil && s.Before(w, r) {
		return
	}
	switch op {
	case "cacerts":
		Answer(w, s.Signs.Certificate, s.Root.Certificate)
	case "simpleenroll":
		if !s.spend(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="est"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		s.certify(w, r, nil)
	case "simplereenroll":
		if len(r.TLS.PeerCertificates) == 0 || !s.knows(r.TLS.PeerCertificates) {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		s.certify(w, r, r.TLS.PeerCertificates[0].RawSubject)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) spend(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || password == "" || s.passwords[user] != password {
		return false
	}
	delete(s.passwords, user)
	return true
}

// knows takes certificates that have ended, too.
func (s *Server) knows(chain []*x509.Certificate) bool {
	return chain[0].CheckSignatureFrom(s.Signs.Certificate) == nil
}

func (s *Server) certify(w http.ResponseWriter, r *http.Request, subject []byte) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	der, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || r.Header.Get("Content-Type") != "application/pkcs10" {
		http.Error(w, "no request", http.StatusBadRequest)
		return
	}
	q, err := x509.ParseCertificateRequest(der)
	if err != nil || q.CheckSignature() != nil || subject != nil && string(subject) != string(q.RawSubject) {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	Answer(w, s.Signs.Lasting(s.Lifetime).Issue(s.tb, q))
}

// Answer writes certificates as EST does.
func Answer(w http.ResponseWriter, certs ...*x509.Certificate) {
	w.Header().Set("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
	text := base64.StdEncoding.EncodeToString(CertsOnly(certs...))
	for len(text) > 64 {
		_, _ = io.WriteString(w, text[:64]+"\r\n")
		text = text[64:]
	}
	_, _ = io.WriteString(w, text+"\r\n")
}

// CertsOnly returns a certs-only message of CMS (RFC 5652) in DER.
func CertsOnly(certs ...*x509.Certificate) []byte {
	var raw []byte
	for _, c := range certs {
		raw = append(raw, c.Raw...)
	}
	signed := der(struct {
		Version    int
		Algorithms asn1.RawValue
		Content    struct{ Type asn1.ObjectIdentifier }
		Certs      asn1.RawValue
		Signers    asn1.RawValue
	}{1, set(nil), struct{ Type asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: raw}, set(nil)})
	return der(struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: signed}})
}

func set(b []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: b}
}

func der(v any) []byte {
	b, err := asn1.Marshal(v)
	if err != nil {
		panic(err) // plain structs
	}
	return b
}

// Authority signs certificates.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	from, until time.Time
}

// NewAuthority returns one, signed by another one or by itself.
func NewAuthority(tb testing.TB, name string, by *Authority) *Authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &Authority{Key: key, from: time.Now().Add(-time.Hour), until: time.Now().Add(24 * time.Hour)}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: a.from, NotAfter: a.until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	parent, signer := t, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Certificate, by.Key
	}
	a.Certificate = sign(tb, t, parent, key.Public(), signer)
	return a
}

// PEM returns its certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
}

// Lasting returns the same authority, whose certificates begin now and end after d.
func (a *Authority) Lasting(d time.Duration) *Authority {
	other := *a
	other.from = time.Now().Add(-time.Second)
	other.until = time.Now().Add(d)
	return &other
}

// Between returns the same authority, for another span.
func (a *Authority) Between(from, until time.Time) *Authority {
	other := *a
	other.from, other.until = from, until
	return &other
}

// Sign makes a certificate from a template; nil makes a key.
func (a *Authority) Sign(tb testing.TB, t *x509.Certificate, key crypto.Signer) tls.Certificate {
	tb.Helper()
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		key = made
	}
	if t.SerialNumber == nil {
		t.SerialNumber = big.NewInt(time.Now().UnixNano())
	}
	if t.NotBefore.IsZero() {
		t.NotBefore, t.NotAfter = a.from, a.until
	}
	leaf := sign(tb, t, a.Certificate, key.Public(), a.Key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// Issue certifies a request as it is.
func (a *Authority) Issue(tb testing.TB, q *x509.CertificateRequest) *x509.Certificate {
	tb.Helper()
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), RawSubject: q.RawSubject, URIs: q.URIs,
		NotBefore: a.from, NotAfter: a.until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	return sign(tb, t, a.Certificate, q.PublicKey, a.Key)
}

func sign(tb testing.TB, t, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	tb.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, t, parent, key, by)
	if err != nil {
		tb.Error(err) // also from the server's goroutines
		return nil
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		tb.Error(err)
		return nil
	}
	return c
}

// ReadAuthority reads one that is kept in files, its key as PKCS #8.
func ReadAuthority(tb testing.TB, crt, key string) *Authority {
	tb.Helper()
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		block, _ := pem.Decode(text)
		if err != nil || block == nil {
			tb.Fatalf("read %s: %v", path, err)
		}
		return block.Bytes
	}
	c, err := x509.ParseCertificate(read(crt))
	if err != nil {
		tb.Fatal(err)
	}
	k, err := x509.ParsePKCS8PrivateKey(read(key))
	signer, ok := k.(crypto.Signer)
	if err != nil || !ok {
		tb.Fatalf("read %s: %v", key, err)
	}
	return &Authority{Certificate: c, Key: signer, from: time.Now().Add(-time.Hour), until: time.Now().Add(24 * time.Hour)}
}
