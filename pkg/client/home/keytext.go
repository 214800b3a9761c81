package home

import (
	"slices"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// The beginning of a key as text or QR code. docs/protocol.md 2.9.
const (
	keyMark    = "CAMD-KEY:"
	keyVersion = "1?"
)

// Card returns the key card of k. docs/protocol.md 2.3.
func (k *Keys) Card() ([]byte, error) {
	return envelope.NewKeyCard(k.sign, k.open.PublicKey())
}

// FormatKey returns a key card as text.
func FormatKey(card []byte) string { return keyMark + keyVersion + string(card) }

// ParseKey parses the text of FormatKey, with any line breaks and blanks in it, and
// verifies that its maker has the private key. Only a comparison of the words shows whose
// key it is. An error is a Problem.
func ParseKey(text string) (key envelope.PublicKey, card []byte, err error) {
	if len(text) > proto.MaxMessage {
		return envelope.PublicKey{}, nil, NewProblem(envelope.ErrOversized, "This is too long for a key. "+keyHelp)
	}
	fields := strings.Fields(text)
	rest, ok := strings.CutPrefix(strings.Join(fields, ""), keyMark)
	if !ok {
		return envelope.PublicKey{}, nil, NewProblem(envelope.ErrGarbled, "%s "+keyHelp, whatInstead(fields))
	}
	jws, ok := strings.CutPrefix(rest, keyVersion)
	if !ok {
		return envelope.PublicKey{}, nil, NewProblem(ErrNewer, "This key is of a version that this program does not know. Update it.")
	}
	card = []byte(jws)
	if key, err = envelope.VerifyKeyCard(card); err != nil {
		return envelope.PublicKey{}, nil, NewProblem(err, "This key was cut short or changed on the way. Copy all of it, from "+keyMark+keyVersion+" to its end.")
	}
	return key, card, nil
}

const keyHelp = "A key begins with " + keyMark + keyVersion + "; use what camctl id prints for the person who is to get access."

// whatInstead names what people may mistake for a key.
func whatInstead(fields []string) string {
	isWord := func(s string) bool { return slices.Contains(wordlists.English, strings.ToLower(s)) }
	switch {
	case len(fields) == 0:
		return "This is empty."
	case strings.HasPrefix(fields[0], "CAMD:"):
		return "This is a camera's label, not a key."
	case len(fields) == wordCount && !slices.ContainsFunc(fields, func(s string) bool { return !isWord(s) }):
		return "These words only serve to compare a key."
	}
	return "This is not a key."
}
