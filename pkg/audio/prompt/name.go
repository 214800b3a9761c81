package prompt

import (
	"strings"
	"unicode"

	"github.com/camd-project/camd/pkg/proto"
)

// longest bounds a spoken name, in clips: letters, or whole words that have one.
// What comes after is not said.
const longest = 20

// person names the clips of a name, or of the role if the name can't be spoken. A
// guest's role is always spoken: names that sound alike are spelled differently, so that
// an adult's guest could pass for an owner in the room.
func (a *Archive) person(p Person) []string {
	said, ok := a.spoken(p.Name)
	if !ok || p.Role == proto.RoleGuest {
		said = append(said, role(p.Role))
	}
	return said
}

// spoken names the clips of a name: each word's own, or else its letters and digits.
// It is false for names with letters of another script, and names of nothing that
// can be said.
func (a *Archive) spoken(name string) (clips []string, ok bool) {
	words, ok := fold(name)
	left := longest
	for _, w := range words {
		if left == 0 {
			break
		}
		if len(clips) > 0 {
			clips = append(clips, pause)
		}
		said := []string{"name/" + w}
		if !a.has(said[0]) {
			said = nil
			for _, r := range w {
				said = append(said, glyph(r))
			}
		}
		said = said[:min(left, len(said))]
		clips, left = append(clips, said...), left-len(said)
	}
	return clips, ok
}

// glyph names the clip of one of a-z and 0-9.
func glyph(r rune) string {
	if r <= '9' {
		return "digit/" + string(r)
	}
	return "letter/" + string(r)
}

// NameClip returns the name of the clip that speaks a whole word of a name:
// name/jorg for Jörg.
func NameClip(word string) (string, bool) {
	words, ok := fold(word)
	if !ok || len(words) != 1 || strings.ContainsAny(words[0], "0123456789") {
		return "", false
	}
	return "name/" + words[0], true
}

// fold returns a name's words in a-z and 0-9: accents are taken off Latin letters,
// apostrophes are dropped, whatever else isn't a letter parts words. It is false for
// letters and digits of other scripts, and if no word is left.
func fold(name string) (words []string, ok bool) {
	var b strings.Builder
	for _, r := range name {
		r = unicode.ToLower(r)
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case bases[r] != "":
			b.WriteString(bases[r])
		case strings.ContainsRune("'`´‘’ʻʼ", r) || unicode.IsMark(r):
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			return nil, false
		default:
			b.WriteByte(' ')
		}
	}
	words = strings.Fields(b.String())
	return words, len(words) > 0
}

// accented lists the Latin letters whose canonical decomposition (Unicode 15) begins
// with a letter of ASCII, behind it; and those that have none, behind what stands for
// them.
var accented = []struct{ base, letters string }{
	{"a", "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ"}, {"b", "ḃḅḇ"}, {"c", "çćĉċčḉ"}, {"d", "ďḋḍḏḑḓđð"},
	{"e", "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ"}, {"f", "ḟ"}, {"g", "ĝğġģǧǵḡ"}, {"h", "ĥȟḣḥḧḩḫẖħ"},
	{"i", "ìíîïĩīĭįǐȉȋḭḯỉịı"}, {"j", "ĵǰ"}, {"k", "ķǩḱḳḵ"}, {"l", "ĺļľḷḹḻḽłŀ"}, {"m", "ḿṁṃ"},
	{"n", "ñńņňǹṅṇṉṋŋ"}, {"o", "òóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợøǿ"}, {"p", "ṕṗ"}, {"r", "ŕŗřȑȓṙṛṝṟ"},
	{"s", "śŝşšșṡṣṥṧṩ"}, {"t", "ţťțṫṭṯṱẗŧ"}, {"u", "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự"}, {"v", "ṽṿ"},
	{"w", "ŵẁẃẅẇẉẘ"}, {"x", "ẋẍ"}, {"y", "ýÿŷȳẏẙỳỵỷỹ"}, {"z", "źżžẑẓẕ"},
	{"ss", "ß"}, {"ae", "æǣǽ"}, {"oe", "œ"}, {"th", "þ"}, {"ij", "ĳ"},
}

var bases = func() map[rune]string {
	m := map[rune]string{}
	for _, a := range accented {
		for _, r := range a.letters {
			m[r] = a.base
		}
	}
	return m
}()
