// Package naming knows which names of people and cameras can be used, and which ones a
// person would take for each other. docs/protocol.md 5.6.
package naming

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes bounds a name.
const MaxBytes = 64

// ErrName is returned for a name that can't be used. The error's text says why.
var ErrName = errors.New("this name can't be used")

// Check returns nil if a name shows all that it holds, and is written in one script.
func Check(name string) error {
	switch {
	case name == "" || len(name) > MaxBytes:
		return fmt.Errorf("%w: a name has 1 to %d bytes", ErrName, MaxBytes)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unseen):
		return fmt.Errorf("%w: it holds something that is not seen", ErrName)
	case strings.Join(strings.Fields(name), " ") != name:
		return fmt.Errorf("%w: a blank stands at its beginning or end, or next to another", ErrName)
	case heaped(norm.NFD.String(name)):
		return fmt.Errorf("%w: accents and other marks need a letter of their own, and no letter has more than %d", ErrName, maxMarks)
	case mixed(name):
		return fmt.Errorf("%w: it mixes letters of several scripts", ErrName)
	}
	return nil
}

// blank lists what has a shape by its category, and yet shows none: the braille pattern
// without dots, the musical notehead that is not seen, what stands for an object that is
// not there, blanks between hieroglyphs, and what only joins letters.
const blank = "\u2800\U0001D159\uFFFC\U00013441\U00013442\u2D7F\U0001107F"

// unseen reports whether a character doesn't show, or shows as a blank and is not the
// usual one.
func unseen(r rune) bool {
	return !unicode.IsPrint(r) || strings.ContainsRune(blank, r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// maxMarks is how many marks may follow one letter. UTS #39, 5.4.
const maxMarks = 4

// heaped reports whether marks stand without a letter, are too many, or hide each
// other by being the same.
func heaped(decomposed string) bool {
	marks, before := maxMarks, rune(-1)
	for _, r := range decomposed {
		switch {
		case !unicode.Is(unicode.Mn, r):
			marks = 0
		case marks == maxMarks || before == ' ' || before == r:
			return true
		default:
			marks++
		}
		before = r
	}
	return false
}

// together are the scripts that are written with each other, and with Latin. UTS #39,
// 5.2, "highly restrictive".
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
	{unicode.Latin, unicode.Han, unicode.Hangul},
}

// mixed reports whether a name is written in several scripts: Аnna with a Cyrillic А is
// not to be taken for Anna.
func mixed(name string) bool {
	var first *unicode.RangeTable
	allowed := together
	single := true
	for _, r := range name {
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		if first == nil {
			first = scriptOf(r)
		}
		single = single && first != nil && unicode.Is(first, r)
		var left [][]*unicode.RangeTable
		for _, set := range allowed {
			if unicode.In(r, set...) {
				left = append(left, set)
			}
		}
		allowed = left
	}
	return !single && len(allowed) == 0
}

func scriptOf(r rune) *unicode.RangeTable {
	for _, script := range unicode.Scripts {
		if unicode.Is(script, r) {
			return script
		}
	}
	return nil
}
