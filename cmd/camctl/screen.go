package main

import (
	"io"
	"strings"
	"unicode"
)

// screen lets nothing through that would act on a person's terminal, or turn the
// order of what they read: names, titles, roles and sentences come from cameras,
// cards and brokers that may be hostile.
type screen struct{ w io.Writer }

func (t screen) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.w, strings.Map(harmless, string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func harmless(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case unicode.Is(unicode.Bidi_Control, r), !unicode.IsPrint(r):
		return -1
	}
	return r
}
