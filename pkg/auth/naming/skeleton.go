package naming

import (
	_ "embed"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// CONFUSABLES names the file that Unicode publishes at
// https://www.unicode.org/Public/17.0.0/security/confusables.txt.
//
//go:generate go run ./table -from $CONFUSABLES -o confusables.txt

// table lists which characters look alike: a line is the one that stands for them, in
// hexadecimal code points joined by "+", and the others behind blanks.
//
//go:embed confusables.txt
var table string

var alike = parse(table)

func parse(table string) map[rune]string {
	m := map[rune]string{}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		var prototype strings.Builder
		for _, hex := range strings.Split(words[0], "+") {
			prototype.WriteRune(point(hex))
		}
		for _, hex := range words[1:] {
			m[point(hex)] = prototype.String()
		}
	}
	for i, r := range []rune(small) {
		if _, listed := m[r]; !listed {
			m[r] = string([]rune(smallFor)[i])
		}
	}
	return m
}

// small are small letters in the shape of capitals, which Unicode has for phonetics and
// lists as letters of their own; ʍ stands for ᴍ there. smallFor are those that a person
// reads.
const (
	small    = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟʍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ"
	smallFor = "abcdefghijklmnopqrstuvwyz"
)

// framed are the capitals that stand in a frame or make a flag. NFKC leaves these, unlike
// those in other frames.
var framed = [...]rune{'🅐', '🅰', '🇦'}

// letter takes a capital out of its frame.
func letter(r rune) rune {
	for _, a := range framed {
		if a <= r && r < a+26 {
			return 'A' + r - a
		}
	}
	return r
}

func point(hex string) rune {
	n, err := strconv.ParseUint(hex, 16, 21)
	if err != nil {
		panic(err) // the table is our own
	}
	return rune(n)
}

// Skeleton is what a person distinguishes in a name: once as it is written, once in small
// letters, since capitals look like other letters than small ones do. It is for
// comparing and never shown. UTS #39, 4.
func Skeleton(name string) [2]string {
	name = strings.Join(strings.Fields(strings.Map(seen, norm.NFKC.String(name))), " ")
	return [2]string{strings.ToLower(skeleton(name)), strings.ToLower(skeleton(strings.ToLower(name)))}
}

// seen makes blanks of what looks like one, and nothing of what isn't seen at all.
func seen(r rune) rune {
	switch {
	case unicode.IsSpace(r) || strings.ContainsRune(blank, r):
		return ' '
	case unseen(r):
		return -1
	}
	return letter(r)
}

// skeleton maps again, since some of what stands for others has parts that others stand
// for.
func skeleton(s string) string {
	for range 3 {
		var b strings.Builder
		for _, r := range norm.NFD.String(s) {
			if to, ok := alike[r]; ok {
				b.WriteString(to)
			} else {
				b.WriteRune(r)
			}
		}
		s = norm.NFD.String(b.String())
	}
	return s
}

// Same reports whether people would take two names for one.
func Same(a, b string) bool {
	x, y := Skeleton(a), Skeleton(b)
	return x[0] == y[0] || x[1] == y[1]
}

// Begins reports whether people would read a name as one that begins with prefix,
// whatever stands between its letters.
func Begins(name, prefix string) bool {
	x, y := Skeleton(name), Skeleton(prefix)
	return strings.HasPrefix(letters(x[0]), letters(y[0])) || strings.HasPrefix(letters(x[1]), letters(y[1]))
}

// letters leaves out blanks, hyphens, marks and signs.
func letters(skeleton string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.L, unicode.N) && !unicode.Is(unicode.Lm, r) {
			return r
		}
		return -1
	}, skeleton)
}
