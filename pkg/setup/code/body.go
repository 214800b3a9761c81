package code

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/camd-project/camd/pkg/proto"
)

// Sizes in bytes of what a Body holds. docs/protocol.md 3.12.3.
const (
	KeySize    = 33 // a P-256 point, compressed (SEC 1 section 2.3.3)
	ProofSize  = 64 // an ES256 signature, R and S
	ScalarSize = 32

	maxSSID        = 32 // IEEE 802.11
	maxPassword    = 64 // WPA's longest passphrase has 63; 64 are the key itself in hex
	maxText        = 255
	maxCertificate = 1024
	maxChain       = 3
)

// Body is what a code says. Its members have small numbers in CBOR; what is nil is
// missing, and stays as it is. docs/protocol.md 3.12.3.
type Body struct {
	Sig    []byte  `cbor:"1,keyasint"` // the client's signing key
	Enc    []byte  `cbor:"2,keyasint"` // and the one that others seal for
	Proof  []byte  `cbor:"3,keyasint"` // the signature of the client's key card
	Broker *Broker `cbor:"4,keyasint,omitempty"`
	WiFi   *WiFi   `cbor:"5,keyasint,omitempty"`
	EST    *EST    `cbor:"6,keyasint,omitempty"`
	Login  *Login  `cbor:"7,keyasint,omitempty"`
}

// Broker is where device and clients meet.
type Broker struct {
	URL        string `cbor:"1,keyasint"`
	ViewerURL  string `cbor:"2,keyasint,omitempty"` // where clients go, if elsewhere
	ServerName string `cbor:"3,keyasint,omitempty"`
	CA         []byte `cbor:"4,keyasint,omitempty"` // certificate of its authority, DER; none: any public one
}

// WiFi is the network that the camera is to join.
type WiFi struct {
	SSID     []byte       `cbor:"1,keyasint"`
	Password proto.Secret `cbor:"2,keyasint,omitempty"`
	Hidden   bool         `cbor:"3,keyasint,omitempty"`
	OpenOK   bool         `cbor:"4,keyasint,omitempty"` // its owner knows that it has no password
}

// EST is where the camera gets its certificate (RFC 7030), once, by a password.
type EST struct {
	URL      string       `cbor:"1,keyasint"`
	User     string       `cbor:"2,keyasint,omitempty"`
	Password proto.Secret `cbor:"3,keyasint,omitempty"`
}

// Login is a certificate that was made for the camera, with its key: good for a short
// while, in which the camera has one made for a key that nobody else has.
type Login struct {
	Chain [][]byte         `cbor:"1,keyasint"` // DER, leaf first
	Key   proto.PrivateKey `cbor:"2,keyasint"` // the leaf's private scalar, P-256
}

// String leaves out what a Body says.
func (Body) String() string { return "[code]" }

// GoString is String.
func (b Body) GoString() string { return b.String() }

// LogValue implements slog.LogValuer.
func (b Body) LogValue() slog.Value { return slog.StringValue(b.String()) }

// ErrBody is the error for a code that has the right secret and says something that no camera
// takes.
var ErrBody = errors.New("not what a code says")

// check holds a body to its bounds. docs/protocol.md 3.12.3.
func (b *Body) check() error {
	switch {
	case len(b.Sig) != KeySize, len(b.Enc) != KeySize, len(b.Proof) != ProofSize:
		return fmt.Errorf("%w: the client's keys have %d, %d and %d bytes", ErrBody, len(b.Sig), len(b.Enc), len(b.Proof))
	case b.EST != nil && b.Login != nil:
		return fmt.Errorf("%w: two ways to a certificate", ErrBody)
	}
	var err error
	if b.Broker != nil {
		err = b.Broker.check()
	}
	if b.WiFi != nil {
		err = errors.Join(err, b.WiFi.check())
	}
	if b.EST != nil {
		err = errors.Join(err, texts(1, b.EST.URL), texts(0, b.EST.User, string(b.EST.Password)))
	}
	if b.Login != nil {
		err = errors.Join(err, b.Login.check())
	}
	return err
}

func (b *Broker) check() error {
	if n := len(b.CA); n > maxCertificate {
		return fmt.Errorf("%w: a certificate of %d bytes", ErrBody, n)
	}
	return errors.Join(texts(1, b.URL), texts(0, b.ViewerURL, b.ServerName))
}

func (w *WiFi) check() error {
	if n := len(w.SSID); n == 0 || n > maxSSID {
		return fmt.Errorf("%w: a network's name of %d bytes", ErrBody, n)
	}
	if n := len(w.Password); n > maxPassword {
		return fmt.Errorf("%w: a network's password of %d bytes", ErrBody, n)
	}
	return texts(0, string(w.Password))
}

func (l *Login) check() error {
	if n := len(l.Chain); n == 0 || n > maxChain || len(l.Key) != ScalarSize {
		return fmt.Errorf("%w: a login of %d certificates and a key of %d bytes", ErrBody, n, len(l.Key))
	}
	for _, der := range l.Chain {
		if n := len(der); n == 0 || n > maxCertificate {
			return fmt.Errorf("%w: a certificate of %d bytes", ErrBody, n)
		}
	}
	return nil
}

// texts holds texts to a length and to characters that show.
func texts(least int, all ...string) error {
	for _, s := range all {
		if len(s) < least || len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, control) {
			return fmt.Errorf("%w: a text of %d bytes", ErrBody, len(s))
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
