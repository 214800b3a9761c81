package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 64 // bytes

// validName keeps out of logs and lists what would not print there, and what a person
// takes for something else. docs/protocol.md 5.6.
func validName(name string) bool {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return false
		}
	}
	return !mixed(name) && !impersonal(name)
}

// mixed tells of letters of several of the scripts that have letters which look alike
// (Unicode TR 39): Аnna with a Cyrillic А is not to be taken for Anna.
func mixed(name string) bool {
	n := 0
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek} {
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(script, r) }) {
			n++
		}
	}
	return n > 1
}

// impersonal tells of names with which the log would say that nobody of the household
// did something.
func impersonal(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "someone") || strings.HasPrefix(name, "the camera")
}

// sameName tells whether people would take two names for one.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }
