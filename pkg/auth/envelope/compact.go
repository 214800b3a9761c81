package envelope

import (
	"fmt"
	"strings"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// splitCompact takes a compact serialisation apart before any library does:
// exactly so many parts, each canonical base64url, and a protected header that
// holds none but the listed members. So zip, crit, jwk, x5c, apu and whatever
// comes later never reach code that acts on them. docs/protocol.md 2.5, 4.1.3.
func splitCompact(text string, count int, members []string, header any) ([]string, error) {
	if len(text) > maxSealed {
		return nil, ErrOversized
	}
	parts := strings.Split(text, ".")
	if len(parts) != count {
		return nil, fmt.Errorf("%w: %d parts, want %d", ErrGarbled, len(parts), count)
	}
	for _, part := range parts {
		if _, err := decodeBase64(part); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGarbled, err)
		}
	}
	raw, _ := decodeBase64(parts[0])
	if err := onlyMembers(raw, members); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrGarbled, err)
	}
	if err := Decode(raw, header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrGarbled, err)
	}
	return parts, nil
}

// onlyMembers refuses an object that holds a member which is not listed.
func onlyMembers(object []byte, listed []string) error {
	var members map[string]josejson.RawMessage
	if err := Decode(object, &members); err != nil {
		return err
	}
	known := 0
	for _, name := range listed {
		if _, ok := members[name]; ok {
			known++
		}
	}
	if known != len(members) {
		return fmt.Errorf("holds other members than %s", strings.Join(listed, ", "))
	}
	return nil
}
