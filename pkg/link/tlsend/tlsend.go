// Package tlsend finds out why a TLS connection to a broker ended, so that both the device and
// its clients can say so in sentences of their own.
package tlsend

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
)

// alertTime bounds the wait for the reason of a broker that has closed the connection.
const alertTime = time.Second

// ErrUnheard is wrapped by every error of a connection before the broker has sent anything.
var ErrUnheard = errors.New("before the broker answered")

// Conn is a TLS connection whose handshake is over. In TLS 1.3 that says nothing yet:
// the broker refuses a client's certificate, or that there is none, after the client
// has begun to write.
type Conn struct {
	net.Conn
	heard atomic.Bool
}

// Read marks errors with ErrUnheard.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, c.mark(err)
}

// Write marks errors with ErrUnheard. Of a connection that was reset it gives the
// broker's reason, where that can still be read.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil && !c.heard.Load() && c.SetReadDeadline(time.Now().Add(alertTime)) == nil {
		// MQTT clients don't read while they write the first packet.
		var b [1]byte
		if _, reason := c.Conn.Read(b[:]); Alert(reason) != 0 {
			err = reason
		}
	}
	return n, c.mark(err)
}

func (c *Conn) mark(err error) error {
	if err == nil || c.heard.Load() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnheard, err)
}

// TLS alerts that mean something to a person. RFC 8446, 6.2.
const (
	HandshakeFailure   = 40
	BadCertificate     = 42
	UnsupportedFormat  = 43
	Revoked            = 44
	Expired            = 45
	CertificateUnknown = 46
	UnknownCA          = 48
	AccessDenied       = 49
	ProtocolVersion    = 70
	Required           = 116

	highest = 120
)

// Alert returns the alert that the broker sent, or 0. crypto/tls gives it as an
// unexported type within a net.OpError; its text is that of tls.AlertError.
func Alert(err error) uint8 {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0
	}
	for code := uint8(1); code <= highest; code++ {
		if tls.AlertError(code).Error() == op.Err.Error() {
			return code
		}
	}
	return 0
}

// Text returns an alert's name, such as "bad certificate".
func Text(code uint8) string { return strings.TrimPrefix(tls.AlertError(code).Error(), "tls: ") }

// Closed reports whether the broker ended a connection without a reason.
func Closed(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// Leaf returns the certificate that a broker showed and that was not taken; nil: it is not
// known. The error itself may hold another one of the chain.
func Leaf(err error) *x509.Certificate {
	var e *tls.CertificateVerificationError
	if errors.As(err, &e) && len(e.UnverifiedCertificates) > 0 {
		return e.UnverifiedCertificates[0]
	}
	return nil
}

// Issuer names who issued a certificate: nobody else only if its own key signed it.
func Issuer(c *x509.Certificate) string {
	switch {
	case c == nil:
		return "an unknown authority"
	case c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil:
		return "itself"
	case c.Issuer.CommonName != "":
		return foreign.Name(c.Issuer.CommonName)
	}
	return foreign.Name(c.Issuer.String())
}

// Root returns the innermost cause, without the verbs and addresses around it.
func Root(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // walks the chain itself
		case interface{ Unwrap() error }:
			if e.Unwrap() == nil {
				return err
			}
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			err = e.Unwrap()[len(e.Unwrap())-1]
		default:
			return err
		}
	}
}
