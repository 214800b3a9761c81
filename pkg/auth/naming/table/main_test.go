package main

import (
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	const in = "\ufeff# confusables.txt\n# Version: 17.0.0\n#\n" +
		"0430 ;\t0061 ;\tMA\t# ( а → a ) CYRILLIC SMALL LETTER A → LATIN SMALL LETTER A\t#\n" +
		"0251 ;\t0061 ;\tMA\t# ( ɑ → a )\n" +
		"1D41A ;\t0061 ;\tMA\t#* mathematical: NFKC has dealt with it\n" +
		"2028 ;\t0020 ;\tMA\t#* refused in any name\n" +
		"006D ;\t0072 006E ;\tMA\t# ( m → rn )\n\n"
	got, err := convert(strings.NewReader(in))
	_, lines, _ := strings.Cut(got, "go generate.\n")
	if want := "0061 0251 0430\n0072+006E 006D\n"; err != nil || lines != want || !strings.Contains(got, "version 17.0.0") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := convert(strings.NewReader("xyz ; 0061 ; MA\n")); err == nil {
		t.Error("no code point, and no error")
	}
}
