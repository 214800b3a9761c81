package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var hostile = map[string]string{
	"":                              "",
	"HD Webcam C920":                "HD Webcam C920",
	"Änne 安娜 █▀ שלום":               "Änne 安娜 █▀ שלום",
	"\x1b]0;owned\x07":              `\u001b]0;owned\u0007`,
	"\x1b[31mred":                   `\u001b[31mred`,
	"\u009b31mred":                  `\u009b31mred`,
	"a\r\nb\tc\vd\x7f\x00":          `a\u000d\u000ab\u0009c\u000bd\u007f\u0000`,
	"\u202eannA\u2066\u200f\u061c":  `\u202eannA\u2066\u200f\u061c`,
	"a\u2028b\u2029c\u0085d\u00a0e": `a\u2028b\u2029c\u0085d\u00a0e`,
	"zero\u200bwidth\ufeff":         `zero\u200bwidth\ufeff`,
	"\xff\xc3\x28\xed\xa0\x80":      `\xff\xc3(\xed\xa0\x80`,
	"\U000e0041tag\ufffd":           `\udb40\udc41tag` + "\ufffd",
}

func TestLine(t *testing.T) {
	for in, want := range hostile {
		if got := Line(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for what, s := range map[string]string{"letters": strings.Repeat("a", 50_000), "escapes": strings.Repeat("\x1b", 50_000), "wide": strings.Repeat("安", 50_000)} {
		if got := Line(s); len(got) > MaxLine+len(missing) || len(got) < MaxLine-12 || !strings.HasSuffix(got, missing) {
			t.Errorf("50 kB of %s become %d bytes", what, len(got))
		}
	}
	if full := strings.Repeat("a", MaxLine); Line(full) != full {
		t.Error("a line that fits is cut")
	}
}

func TestNameIsQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"":                      `""`,
		"Camera":                `"Camera"`,
		`x" is trusted "`:       `"x\" is trusted \""`,
		`\`:                     `"\\"`,
		"a\nok":                 `"a\u000aok"`,
		"\x1b[2J":               `"\u001b[2J"`,
		"\xff":                  `"\xff"`,
		strings.Repeat("安", 60): `"` + strings.Repeat("安", 33) + `…"`,
	} {
		if got := Name(in); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
	if got := Name(strings.Repeat(`"`, 50_000)); len(got) > MaxName+len(missing)+2 {
		t.Errorf("50 kB become %d bytes", len(got))
	}
}

func TestScreen(t *testing.T) {
	for in, want := range hostile {
		var b bytes.Buffer
		n, err := fmt.Fprintf(Screen(&b), "%s\n\t.", in)
		want = strings.NewReplacer(`\u000a`, "\n", `\u0009`, "\t").Replace(want)
		if got := b.String(); got != want+"\n\t." || err != nil || n != len(in)+3 {
			t.Errorf("%q becomes %q (%d, %v), want %q", in, got, n, err, want)
		}
	}
}

func TestScreenKeepsJSON(t *testing.T) {
	for in := range hostile {
		var plain, screened bytes.Buffer
		if err := json.NewEncoder(&plain).Encode(in); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(Screen(&screened)).Encode(in); err != nil {
			t.Fatal(err)
		}
		var a, b string
		if err := json.Unmarshal(plain.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(screened.Bytes(), &b); err != nil || a != b {
			t.Errorf("%q becomes %s, which says %q, %v", in, screened.Bytes(), b, err)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	for in := range hostile {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var b bytes.Buffer
		_, _ = Screen(&b).Write([]byte(in)) // into memory
		line, name := Line(in), Name(in)
		for what, s := range map[string]string{"line": line, "name": name, "screen": strings.NewReplacer("\n", "", "\t", "").Replace(b.String())} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s of %q is %q", what, in, s)
			}
		}
		if len(line) > MaxLine+len(missing) || len(name) > MaxName+len(missing)+2 {
			t.Errorf("%d and %d bytes", len(line), len(name))
		}
		if n := strings.Count(strings.NewReplacer(`\\`, "", `\"`, "").Replace(name), `"`); n != 2 {
			t.Errorf("%q is quoted as %s", in, name)
		}
	})
}
