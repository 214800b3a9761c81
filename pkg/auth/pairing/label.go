package pairing

import (
	"crypto"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"github.com/camd-project/camd/pkg/proto"
)

const (
	labelPrefix = "CAMD:1?"
	secretLen   = 26 // characters of 128 bits
	typedKeyLen = 12 // characters of the key's digest that a typed label holds
	pskInfo     = "camd/pair/psk/1"
	base32Chars = "abcdefghijklmnopqrstuvwxyz234567"
)

var labelBase32 = base32.NewEncoding(base32Chars).WithPadding(base32.NoPadding)

// Secret is the label's 128 bits. It prints as a placeholder.
type Secret [16]byte

// NewSecret makes a secret, once in a device's life.
func NewSecret() Secret {
	var s Secret
	_, _ = rand.Read(s[:]) // crypto/rand.Read never fails since Go 1.24
	return s
}

// String and GoString keep the secret out of logs.
func (Secret) String() string { return "[label secret]" }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// psk derives the Noise key. docs/protocol.md 3.3.
func (s Secret) psk(device proto.DeviceID) ([]byte, error) {
	salt := sha256.Sum256([]byte(device))
	return hkdf.Key(sha256.New, s[:], salt[:], pskInfo, sha256.Size)
}

// Label is what is printed on a camera. docs/protocol.md 3.1.
type Label struct {
	Device proto.DeviceID
	Secret Secret
	digest [sha256.Size]byte // of the identity key's SPKI; zero when typed
	typed  string            // its first characters in base32, when typed
}

// NewLabel makes the label of a device with this identity key.
func NewLabel(device proto.DeviceID, s Secret, identity crypto.PublicKey) (Label, error) {
	spki, err := x509.MarshalPKIXPublicKey(identity)
	if err != nil {
		return Label{}, fmt.Errorf("encode identity key: %w", err)
	}
	if !device.Valid() || s == (Secret{}) {
		return Label{}, fmt.Errorf("%w: device id or secret is missing", ErrLabel)
	}
	return Label{Device: device, Secret: s, digest: sha256.Sum256(spki)}, nil
}

// String leaves the secret out; Text is what is printed.
func (l Label) String() string { return "label of " + string(l.Device) }

// Text is the content of the QR code, 26+26+43 characters of values.
func (l Label) Text() string {
	return labelPrefix + "d=" + string(l.Device) + "&s=" + labelBase32.EncodeToString(l.Secret[:]) +
		"&k=" + base64.RawURLEncoding.EncodeToString(l.digest[:])
}

// TypedText is printed below the QR code for people who type: the secret and the
// start of the key's digest, in groups. docs/protocol.md 3.2.
func (l Label) TypedText() string {
	all := labelBase32.EncodeToString(l.Secret[:]) + labelBase32.EncodeToString(l.digest[:])[:typedKeyLen]
	var groups []string
	for ; len(all) > 4; all = all[4:] {
		groups = append(groups, all[:4])
	}
	return strings.Join(append(groups, all), "-")
}

// matches reports whether the identity key with this SPKI is the label's.
func (l Label) matches(spki []byte) bool {
	digest := sha256.Sum256(spki)
	if l.typed != "" {
		return labelBase32.EncodeToString(digest[:])[:typedKeyLen] == l.typed
	}
	return subtle.ConstantTimeCompare(digest[:], l.digest[:]) == 1
}

// ParseLabel reads the content of a QR code: exactly what Text writes. The error
// is ErrLabel with what is wrong.
func ParseLabel(text string) (Label, error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, labelPrefix)
	switch {
	case !ok && strings.HasPrefix(text, "CAMD:"):
		return Label{}, fmt.Errorf("%w: it is of a version that this program does not know; update the program", ErrLabel)
	case !ok:
		return Label{}, fmt.Errorf("%w: it must begin with %s", ErrLabel, labelPrefix)
	}
	parts := strings.Split(rest, "&")
	if len(parts) != 3 {
		return Label{}, fmt.Errorf("%w: it needs the three parts d, s and k", ErrLabel)
	}
	var values [3]string
	for i, name := range []string{"d=", "s=", "k="} {
		if values[i], ok = strings.CutPrefix(parts[i], name); !ok {
			return Label{}, fmt.Errorf("%w: part %d must begin with %q", ErrLabel, i+1, name)
		}
	}
	return newParsed(values[0], values[1], values[2])
}

func newParsed(device, secret, key string) (Label, error) {
	l := Label{Device: proto.DeviceID(device)}
	if !l.Device.Valid() {
		return Label{}, fmt.Errorf("%w: the device id (d) must be 26 characters a-z and 2-7", ErrLabel)
	}
	var err error
	if l.Secret, err = parseSecret(secret); err != nil {
		return Label{}, err
	}
	digest, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(digest) != len(l.digest) || strings.ContainsAny(key, "\r\n") {
		return Label{}, fmt.Errorf("%w: the key digest (k) must be 43 characters of base64url", ErrLabel)
	}
	copy(l.digest[:], digest)
	return l, nil
}

func parseSecret(text string) (Secret, error) {
	b, err := labelBase32.DecodeString(text)
	// Written back, because the decoder ignores spare bits and line ends.
	if err != nil || len(text) != secretLen || labelBase32.EncodeToString(b) != text {
		return Secret{}, fmt.Errorf("%w: the secret (s) must be 26 characters a-z and 2-7", ErrLabel)
	}
	s := Secret(b)
	if s == (Secret{}) {
		return Secret{}, fmt.Errorf("%w: the secret (s) is empty", ErrLabel)
	}
	return s, nil
}

// ParseTyped reads what a person typed from below the QR code; case, blanks and
// hyphens don't matter. The device id is not typed: the transport gives it, and
// a wrong one fails at the first message, since the id goes into the key.
func ParseTyped(device proto.DeviceID, text string) (Label, error) {
	if !device.Valid() {
		return Label{}, fmt.Errorf("%w: the camera gave no valid device id", ErrLabel)
	}
	all := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(strings.TrimSpace(text)))
	for _, r := range all {
		if !strings.ContainsRune(base32Chars, r) {
			return Label{}, fmt.Errorf("%w: %q is never on a label; it has the letters a-z and the digits 2-7", ErrLabel, r)
		}
	}
	if len(all) != secretLen+typedKeyLen {
		return Label{}, fmt.Errorf("%w: %d characters were typed, the label has %d", ErrLabel, len(all), secretLen+typedKeyLen)
	}
	s, err := parseSecret(all[:secretLen])
	if err != nil {
		return Label{}, err
	}
	return Label{Device: device, Secret: s, typed: all[secretLen:]}, nil
}
