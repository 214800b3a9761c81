package claim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of the answers of an enrolment server.
const (
	estTime     = 30 * time.Second // for one answer, from the name's lookup to its last byte
	maxAnswer   = 64 << 10
	maxHeader   = 16 << 10
	maxAddress  = 512
	estFolder   = "/.well-known/est" // RFC 7030 3.2.2
	typeRequest = "application/pkcs10"
	typeChain   = "application/pkcs7-mime"
)

// EST is a server that certifies devices (RFC 7030), over TLS 1.3, with a pinned authority.
type EST struct {
	base  *url.URL
	roots *x509.CertPool
}

// NewEST returns the server at an address, https://host or with /.well-known/est, whose
// authority has these certificates in PEM.
func NewEST(address string, ca []byte) (*EST, error) {
	base, err := baseOf(address)
	if err != nil {
		return nil, err
	}
	e := &EST{base: base, roots: x509.NewCertPool()}
	if !e.roots.AppendCertsFromPEM(ca) {
		return nil, problem("There is no certificate by which the enrolment server could be verified.")
	}
	return e, nil
}

// CheckAddress returns a *Problem if an address can't be that of an enrolment server.
func CheckAddress(address string) error {
	_, err := baseOf(address)
	return err
}

func baseOf(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, len(address) > maxAddress, u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, problem("The enrolment server's address must be https://host, or https://host%s/label.", estFolder)
	case u.User != nil, u.RawQuery != "", u.Fragment != "", u.ForceQuery:
		return nil, problem("The enrolment server's address must hold no user, no question mark and no number sign.")
	}
	path := strings.TrimRight(u.Path, "/")
	if path == "" {
		path = estFolder
	}
	if path != estFolder && !strings.HasPrefix(path, estFolder+"/") || strings.Contains(path, "..") || u.RawPath != "" {
		return nil, problem("The path of the enrolment server's address must be empty, or begin with %s.", estFolder)
	}
	return &url.URL{Scheme: "https", Host: u.Host, Path: path}, nil
}

// Enroll gets the chain for a request, leaf first, with a one-time password. The error is a
// *RetryError if the server wants to be asked again later with the same request, otherwise a
// *Problem.
func (e *EST) Enroll(ctx context.Context, request []byte, user string, password proto.Secret) ([][]byte, error) {
	return e.enroll(ctx, "simpleenroll", request, nil, func(r *http.Request) { r.SetBasicAuth(user, string(password)) })
}

// Reenroll gets the chain for a request with the present certificate. That may have expired;
// the server decides whether it accepts it.
func (e *EST) Reenroll(ctx context.Context, request []byte, present tls.Certificate) ([][]byte, error) {
	return e.enroll(ctx, "simplereenroll", request, &present, func(*http.Request) {})
}

func (e *EST) enroll(ctx context.Context, op string, request []byte, present *tls.Certificate, login func(*http.Request)) ([][]byte, error) {
	asked, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("read the certificate request: %w", err)
	}
	certs, err := e.ask(ctx, op, request, present, login)
	if err != nil {
		return nil, err
	}
	others, err := e.ask(ctx, "cacerts", nil, present, func(*http.Request) {})
	if err != nil {
		return nil, err
	}
	return e.chain(asked.PublicKey, certs, others)
}

// chain returns the leaf for the key, and then the certificates up to the authority, which is
// left out because everyone who verifies the chain has it.
func (e *EST) chain(key crypto.PublicKey, certs, others []*x509.Certificate) ([][]byte, error) {
	var last *x509.Certificate
	for _, c := range certs {
		if k, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && k.Equal(key) {
			last = c
		}
	}
	if last == nil {
		return nil, problem("The enrolment server %s gave a certificate for another key than the camera's.", e.base.Host)
	}
	chain := [][]byte{last.Raw}
	for next := issuer(last, certs, others); next != nil && !selfSigned(next) && len(chain) < maxChain; next = issuer(next, certs, others) {
		chain = append(chain, next.Raw)
	}
	return chain, nil
}

// issuer returns the certificate that signed c, or nil.
func issuer(c *x509.Certificate, lists ...[]*x509.Certificate) *x509.Certificate {
	for _, l := range lists {
		for _, other := range l {
			if bytes.Equal(c.RawIssuer, other.RawSubject) && c.CheckSignatureFrom(other) == nil {
				return other
			}
		}
	}
	return nil
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// ask makes one request: a GET if body is nil.
func (e *EST) ask(ctx context.Context, op string, body []byte, present *tls.Certificate, login func(*http.Request)) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, estTime)
	defer cancel()
	r, err := e.request(ctx, op, body)
	if err != nil {
		return nil, err
	}
	login(r)
	answer, err := e.client(present).Do(r)
	if err != nil {
		return nil, e.explain(err)
	}
	defer func() { _ = answer.Body.Close() }() // only read
	if err := e.status(answer, op); err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || kind != typeChain {
		return nil, problem("The enrolment server %s answered with something else than certificates. Check its address.", e.base.Host)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, e.explain(err)
	}
	if len(text) > maxAnswer {
		return nil, problem("The enrolment server %s answered with more than %d KiB.", e.base.Host, maxAnswer>>10)
	}
	certs, err := readAnswer(text)
	if err != nil {
		return nil, &Problem{Sentence: fmt.Sprintf("The enrolment server %s answered with certificates that can't be read.", e.base.Host), cause: err}
	}
	return certs, nil
}

// readAnswer reads certificates in base64, which may have white space (RFC 8951 3.1).
func readAnswer(text []byte) ([]*x509.Certificate, error) {
	text = bytes.Join(bytes.Fields(text), nil)
	msg := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(msg, text)
	if err != nil {
		return nil, errCertsOnly
	}
	return certsOnly(msg[:n])
}

func (e *EST) request(ctx context.Context, op string, body []byte) (*http.Request, error) {
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, content = http.MethodPost, strings.NewReader(base64.StdEncoding.EncodeToString(body))
	}
	r, err := http.NewRequestWithContext(ctx, method, e.base.JoinPath(op).String(), content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", typeRequest)
		r.Header.Set("Content-Transfer-Encoding", "base64") // for servers older than RFC 8951
	}
	return r, nil
}

// client returns a client for one request, without connections that outlive it. It follows no
// redirect, so that neither password nor request goes elsewhere.
func (e *EST) client(present *tls.Certificate) *http.Client {
	own := &tls.Certificate{}
	if present != nil {
		own = present
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS13, RootCAs: e.roots,
				// Shown whatever authorities the server lists: it then says why it does not do.
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil },
			},
		},
	}
}

// explain returns a sentence for the error of a connection.
func (e *EST) explain(err error) error {
	text := ""
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert *net.OpError
	switch {
	case errors.As(err, &unknown):
		text = "The enrolment server %s has a certificate of another authority than the one that the camera was told. Check its address, and the authority."
	case errors.As(err, &name):
		text = "The certificate of the enrolment server %s is for another name. Check its address."
	case errors.As(err, &invalid):
		text = "The certificate of the enrolment server %s is not valid now. If the camera's clock is wrong, it is tried again when the clock is set."
	case errors.As(err, &alert) && alert.Op == "remote error": // crypto/tls: an alert
		text = "The enrolment server %s refuses the camera's certificate, or does not offer TLS 1.3. See its log."
	case errors.Is(err, context.DeadlineExceeded):
		text = "The enrolment server %s does not answer in time."
	default:
		text = "The enrolment server %s can't be reached. Check its address, and the network."
	}
	return &Problem{Sentence: fmt.Sprintf(text, e.base.Host), cause: err}
}
