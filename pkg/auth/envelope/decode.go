package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// maxDepth bounds the nesting of any JSON that a peer sends; the protocol needs four.
const maxDepth = 32

var (
	errDuplicate = errors.New("two members of one object have the same name")
	errTooDeep   = fmt.Errorf("nested deeper than %d", maxDepth)
	errBase64    = errors.New("not canonical base64url")
)

// Decode reads JSON that a peer sent into v, more strictly than encoding/json:
// names match exactly, and no object at any level, of those too that v keeps raw,
// may hold two names that are equal or differ by case only. Members that v does
// not know are skipped, so that later versions can add some. docs/protocol.md 2.6.
func Decode(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	if err := checkNames(data); err != nil {
		return err
	}
	return josejson.Unmarshal(data, v)
}

// checkNames walks all objects of data. What is wrong with the syntax beyond
// that is the decoder's to say.
func checkNames(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // a number out of float64's range is no fault of the names
	var open []names
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if open, err = step(open, tok); err != nil {
			return err
		}
	}
}

// names of one open object; seen is nil for an array. inValue is true while the
// next token is a value, not a name.
type names struct {
	seen    map[string]bool
	inValue bool
}

func step(open []names, tok json.Token) ([]names, error) {
	delim, _ := tok.(json.Delim)
	if delim == '}' || delim == ']' {
		return open[:len(open)-1], nil // Token has checked that they match
	}
	if len(open) > 0 {
		if top := &open[len(open)-1]; top.seen != nil {
			if name, ok := tok.(string); ok && !top.inValue {
				top.inValue = true
				return open, top.add(name)
			}
			top.inValue = false
		}
	}
	if delim == 0 {
		return open, nil
	}
	if len(open) == maxDepth {
		return nil, errTooDeep
	}
	var n names
	if delim == '{' {
		n.seen = map[string]bool{}
	}
	return append(open, n), nil
}

// add folds case as encoding/json does when it matches a name to a field.
func (n *names) add(name string) error {
	folded := strings.ToLower(strings.ToUpper(name))
	if n.seen[folded] {
		return errDuplicate
	}
	n.seen[folded] = true
	return nil
}

// hasSize reports whether canonical base64url stands for exactly so many bytes.
func hasSize(s string, bytes int) bool { return len(s) == strictBase64.EncodedLen(bytes) }

var strictBase64 = base64.RawURLEncoding.Strict()

// decodeBase64 accepts one encoding for each value only. The standard decoder
// would skip line ends.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errBase64
	}
	b, err := strictBase64.DecodeString(s)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}
