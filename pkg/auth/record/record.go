// Package record is the factory record: what the maker keeps of one device, for the
// printer of its label and for the operator's database. docs/protocol.md 11.7.
package record

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// Version is the form that Encode writes, and the only one that Parse reads.
const Version = 1

// MaxSize bounds an encoded record, in bytes.
const MaxSize = 64 << 10

// ErrRecord is the root of everything that is wrong with a record.
var ErrRecord = errors.New("no usable factory record")

// Record is the record of one device. It holds the label's secret, and prints without it.
type Record struct {
	Label       pairing.Label // names the device
	Class       string        // where the identity key is: proto.ClassFile or ClassTPM
	Certificate []byte        // the identity's own, DER
	Request     []byte        // PKCS #10, DER
	Camd        string        // version of the camd that wrote it
}

// String leaves the secret out.
func (r Record) String() string { return "record of " + string(r.Label.Device) }

// LogValue implements slog.LogValuer.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// file is a record as JSON. docs/protocol.md 11.7.
type file struct {
	Version     int            `json:"v"`
	Device      proto.DeviceID `json:"device"`
	Label       string         `json:"label"`
	Typed       string         `json:"typed"`
	Class       string         `json:"identity"`
	Digest      string         `json:"spki"`
	Certificate string         `json:"certificate"`
	Request     string         `json:"request"`
	Camd        string         `json:"camd"`
}

const (
	pemCertificate = "CERTIFICATE"
	pemRequest     = "CERTIFICATE REQUEST"
)

// Encode writes a record as JSON, with a line break at its end. The error is ErrRecord
// for a record that Parse would refuse.
func (r Record) Encode() ([]byte, error) {
	digest, err := r.check()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the label's text has ampersands
	e.SetIndent("", "  ")
	err = e.Encode(file{Version: Version, Device: r.Label.Device, Label: r.Label.Text(), Typed: r.Label.TypedText(), Class: r.Class, Digest: digest,
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: r.Certificate})),
		Request:     string(r.RequestPEM()), Camd: r.Camd})
	return b.Bytes(), err
}

// RequestPEM is the request as authorities take it.
func (r Record) RequestPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: r.Request})
}

// Parse reads a record, and proves that its parts belong to one device: label,
// certificate and request are for one key. The error is ErrRecord with what is wrong.
func Parse(text []byte) (Record, error) {
	var f file
	if len(text) > MaxSize {
		return Record{}, fmt.Errorf("%w: it has more than %d KiB", ErrRecord, MaxSize>>10)
	}
	if err := envelope.Decode(text, &f); err != nil || f.Version < 1 {
		return Record{}, fmt.Errorf("%w: it is not what camd factory init --record writes, or not all of it", ErrRecord)
	}
	if f.Version > Version {
		return Record{}, fmt.Errorf("%w: it is of a later version; update this program", ErrRecord)
	}
	label, err := pairing.ParseLabel(f.Label)
	if err != nil {
		return Record{}, fmt.Errorf("%w: its label is damaged", ErrRecord)
	}
	r := Record{Label: label, Class: f.Class, Camd: f.Camd}
	if r.Certificate, err = unwrap(f.Certificate, pemCertificate); err != nil {
		return Record{}, err
	}
	if r.Request, err = unwrap(f.Request, pemRequest); err != nil {
		return Record{}, err
	}
	digest, err := r.check()
	if err != nil {
		return Record{}, err
	}
	if f.Label != label.Text() || f.Device != label.Device || f.Typed != label.TypedText() || f.Digest != digest {
		return Record{}, fmt.Errorf("%w: its parts are of different devices", ErrRecord)
	}
	return r, nil
}

// unwrap takes the one PEM block of a type out of text.
func unwrap(text, kind string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: it has no %s in PEM form", ErrRecord, strings.ToLower(kind))
	}
	return block.Bytes, nil
}

// check proves that all parts are of one device, and returns the digest of its key.
func (r Record) check() (digest string, err error) {
	cert, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return "", fmt.Errorf("%w: its certificate can't be read", ErrRecord)
	}
	request, err := x509.ParseCertificateRequest(r.Request)
	if err != nil || request.CheckSignature() != nil {
		return "", fmt.Errorf("%w: its certificate request can't be read, or its signature is wrong", ErrRecord)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !key.Equal(request.PublicKey) {
		return "", fmt.Errorf("%w: certificate and request are for different keys", ErrRecord)
	}
	device := r.Label.Device
	if want, err := pairing.NewLabel(device, r.Label.Secret, key); err != nil || want.Text() != r.Label.Text() {
		return "", fmt.Errorf("%w: its label is for another key than its certificate", ErrRecord)
	}
	if cert.Subject.CommonName != string(device) || request.Subject.CommonName != string(device) {
		return "", fmt.Errorf("%w: its certificate or request names another device", ErrRecord)
	}
	if r.Class != proto.ClassFile && r.Class != proto.ClassTPM {
		return "", fmt.Errorf("%w: it does not say where the key lies", ErrRecord)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
