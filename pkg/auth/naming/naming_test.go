package naming

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCheck(t *testing.T) {
	for _, name := range []string{
		"Anna", "Änne Müller", norm.NFD.String("Änne Müller"), "Анна", "Άννα", "安娜", "Dr. J. Doe", "O'Neill", "Änne O'Brien-Müller",
		"Tablet 2", "अनिता", "עַנָּה", "نُورَةُ", "山田 はなこ", "Sony カメラ", "김 Kim", "ㄅㄆ 注音 Bo", "Nguyễn Thị Ái", "❤ Anna", "ᎠᎹ", strings.Repeat("x", MaxBytes),
	} {
		if err := Check(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", strings.Repeat("x", MaxBytes+1), "\xff", "a\nb", // not seen, or not there
		"\u3164", "Anna\u3164", "Anna\u2800", "\u2800", "Anna\U0001D159", "Anna\ufe0f", "An\u00adna", "An\u200bna", "\u202eannA", "An\u115fna", "An\uffa0na", "An\u034fna", "An\u180ena",
		"\U00013441", "\U00013441\U00013442", "Anna\ufffc", "ⴰ\u2d7fⵏ", // shown as nothing
		" Anna", "Anna ", "Anna  Maria", "Anna\u00a0Maria", "Anna\u2003Maria", "Anna\u3000Maria", "Anna\tMaria", // blanks
		"\u0301Anna", "Anna \u0301", "A\u0301\u0301nna", "A\u0300\u0301\u0302\u0303\u0304nna", "Á\u0301nna", // heaps
		"\u0410nna", "An\u03bda", "Аnna", "Annа", "Anna Иванова", "Ann\u0561", "\u13aanna", "אnna", "Анνα", "たnнa", "한 かな", // scripts
	} {
		if err := Check(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Each line holds names that a person takes for one, and each two lines different ones.
func TestSame(t *testing.T) {
	lines := [][]string{
		{"Anna", "anna", "ANNA", "Ａｎｎａ", "𝐀𝐧𝐧𝐚", "𝔄𝔫𝔫𝔞", "ⓐⓝⓝⓐ", "ΑΝΝΑ", "An\u200bna", "🅐🅝🅝🅐", "🅰🅽🅽🅰", "🇦🇳🇳🇦", "Ａ🅽nⓐ", "ᴀɴɴᴀ", "Aɴɴᴀ"},
		{"Änne", norm.NFD.String("Änne"), "ä\u200dnne", "ÄNNE"},
		{"Anna Maria", "anna  maria", "Anna\u00a0Maria", "Anna\u2800Maria", "Anna\u3000Maria", "Anna Ma\u00adria"},
		{"Emma", "Ernma", "EMMA", "ᴇᴍᴍᴀ", "🅔🅜🅜🅐"},
		{"Oscar", "0scar", "ОЅСАR", "Оscar"},
		{"Iris", "lris", "1ris", "|ris", "IRIS"},
		{"Jean-Luc", "Jean‐Luc", "Jean‑Luc", "jean–luc"},
		{"O'Neill", "O’Neill", "Oʼneill"},
		{"Сара", "Сapa", "Capa"},
		{"Vera"}, {"Nera"}, {"Eva"}, {"Ena"}, {"Anne"}, {"Annе\u0301"}, {"Ben"}, {"安娜"}, {"Анна"}, {"Groß"}, {"Gross"},
	}
	for i, line := range lines {
		for _, name := range line {
			if !Same(line[0], name) || !Same(name, line[0]) {
				t.Errorf("%q is not %q: %q, %q", name, line[0], Skeleton(name), Skeleton(line[0]))
			}
			for _, other := range append(lines[:i:i], lines[i+1:]...) {
				if Same(name, other[0]) {
					t.Errorf("%q is %q", name, other[0])
				}
			}
		}
	}
}

func TestBegins(t *testing.T) {
	for _, name := range []string{"someone", "Someone at the camera", "ＳＯＭＥＯＮＥ", "S0MEONE", "𝕊𝕠𝕞𝕖𝕠𝕟𝕖 else", "Some\u200bone", "sorneone", "Some-one", "Some one", "“Someone”", "So’meone", "Soːmeone", "So\u035cmeone", "-someone", "🅢omeone", "ꜱᴏᴍᴇᴏɴᴇ"} {
		if !Begins(name, "someone") {
			t.Errorf("%q", name)
		}
	}
	for _, name := range []string{"Some", "Anna someone", "Simone"} {
		if Begins(name, "someone") {
			t.Errorf("%q", name)
		}
	}
}

// What stands for a character has the same skeleton.
func TestTable(t *testing.T) {
	if n := len(alike); n < 2000 || n > 10000 {
		t.Errorf("%d characters", n)
	}
	for r, to := range alike {
		if !utf8.ValidString(to) || to == "" || skeleton(string(r)) != skeleton(to) {
			t.Errorf("%q stands for %U, and %q for it", to, r, skeleton(to))
		}
	}
}

func FuzzSkeleton(f *testing.F) {
	for _, s := range []string{"Anna", "\u2800", "ﷺ", "A\u0301", "𝔄𝔫𝔫𝔞", "ⅸ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := Skeleton(name)
		if !Same(name, name) || !Same(name, strings.Join(strings.Fields(name), " ")) || !Begins(name, "") {
			t.Errorf("%q is not itself", name)
		}
		if Check(name) == nil && (strings.ContainsFunc(s[0], unicode.IsControl) || strings.TrimSpace(s[0]) == "") {
			t.Errorf("%q shows as %q", name, s)
		}
	})
}
