// Package foreign makes text harmless that somebody else wrote: the names of certificates,
// devices, cards and files, and messages of brokers, cameras and libraries. Such text can
// control a terminal, end a line, change the reading order, or fill a screen. It is made
// harmless at the few places where text leaves: health.Condition.Set, the log, and the output
// of the commands. Names in sentences are quoted there.
package foreign

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of the returned text in bytes, without the mark of what is missing.
const (
	MaxLine = 1000
	MaxName = 100
)

const missing = "…"

// Line returns s as one harmless line of at most MaxLine bytes. Unprintable characters are
// escaped as in JSON, invalid UTF-8 as \xff.
func Line(s string) string { return harmless(s, "", MaxLine) }

// Name returns s as Line does, in quotation marks, with at most MaxName bytes between them.
func Name(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:min(len(s), 2*MaxName)])
	return `"` + harmless(s, "", MaxName) + `"`
}

// Screen returns a writer that makes text harmless but keeps line ends and tabs. A character
// must not be split over two writes. JSON stays JSON.
func Screen(w io.Writer) io.Writer { return screen{w} }

type screen struct{ w io.Writer }

func (s screen) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.w, harmless(string(p), "\n\t", len(p)*len(`\u0000`))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap returns the underlying writer.
func (s screen) Unwrap() io.Writer { return s.w }

// harmless escapes unprintable characters, except those in except, and cuts the text at
// limit.
func harmless(s, except string, limit int) string {
	var b strings.Builder
	for i, n := 0, 0; i < len(s); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(s[i:])
		text := s[i : i+n]
		switch {
		case r == utf8.RuneError && n == 1:
			text = fmt.Sprintf(`\x%02x`, s[i])
		case !unicode.IsPrint(r) && !strings.ContainsRune(except, r):
			text = fmt.Sprintf(`\u%04x`, r)
			if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
				text = fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
			}
		}
		if b.Len()+len(text) > limit {
			return b.String() + missing
		}
		b.WriteString(text)
	}
	return b.String()
}
