package prompt

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// mute returns an archive of all that is required and two names, whose every packet can be
// told from all others.
func mute(t *testing.T, without ...string) (a *Archive, said func([][]byte) string) {
	t.Helper()
	clips := map[string][][]byte{}
	for _, name := range append(Required(), "name/anna", "name/jorg") {
		if !slices.Contains(without, name) {
			clips[name] = [][]byte{append([]byte{silk}, name...)}
		}
	}
	data, err := Marshal(clips)
	if err != nil {
		t.Fatal(err)
	}
	if a, err = Parse(data); err != nil {
		t.Fatal(err)
	}
	return a, func(packets [][]byte) string {
		return string(bytes.ReplaceAll(bytes.Join(packets, nil), []byte{silk}, []byte{' '}))
	}
}

var (
	anna = Person{"Anna", proto.RoleOwner}
	olga = Person{"Ольга", proto.RoleGuest}

	other = Person{"Ánna", proto.RoleGuest} // whom the room must not take for Anna
)

func TestSentences(t *testing.T) {
	a, said := mute(t)
	for want, say := range map[string]func() ([][]byte, error){
		" chime/talk name/anna phrase/is-speaking":                                  func() ([][]byte, error) { return a.Speaking(anna) },
		" chime/talk role/guest phrase/is-speaking":                                 func() ([][]byte, error) { return a.Speaking(olga) },
		" chime/talk name/anna role/guest phrase/is-speaking":                       func() ([][]byte, error) { return a.Speaking(other) },
		" chime/ask name/anna role/guest phrase/wants-to-speak phrase/press-to-let": func() ([][]byte, error) { return a.AsksToSpeak(other) },
		" chime/ask name/anna phrase/wants-to-speak phrase/press-to-let":            func() ([][]byte, error) { return a.AsksToSpeak(anna) },
		" chime/ring phrase/at-the-door":                                            a.Ring,
		" phrase/talk-blocked":                                                      func() ([][]byte, error) { return a.Say(TalkBlocked) },
		" digit/0":                                                                  func() ([][]byte, error) { return a.Number(0) },
		" number/10":                                                                func() ([][]byte, error) { return a.Number(10) },
		" number/19":                                                                func() ([][]byte, error) { return a.Number(19) },
		" number/20":                                                                func() ([][]byte, error) { return a.Number(20) },
		" number/40 digit/2":                                                        func() ([][]byte, error) { return a.Number(42) },
		" number/60 digit/4":                                                        func() ([][]byte, error) { return a.Number(64) },
		" phrase/more-than number/60 digit/4":                                       func() ([][]byte, error) { return a.Number(65) },
		" digit/0 phrase/members pause/short phrase/nobody-watching":                func() ([][]byte, error) { return a.Audit(nil, nil) },
		" digit/1 phrase/member pause/short name/anna role/owner pause/short name/anna phrase/is-watching": func() ([][]byte, error) {
			return a.Audit([]Person{anna}, []Person{anna})
		},
		" digit/2 phrase/members pause/short name/anna role/owner pause/short role/guest pause/short" +
			" role/guest phrase/is-watching pause/short name/anna phrase/is-watching": func() ([][]byte, error) {
			return a.Audit([]Person{anna, olga}, []Person{olga, anna})
		},
	} {
		if got, err := say(); err != nil || said(got) != want {
			t.Errorf("said%s, %v, want%s", said(got), err, want)
		}
	}
}

func TestNumbersFrom0To64(t *testing.T) {
	a, said := mute(t)
	seen := map[string]int{}
	for n := range highest + 1 {
		got, err := a.Number(n)
		if err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if other, twice := seen[said(got)]; twice {
			t.Errorf("%d is said like %d", n, other)
		}
		seen[said(got)] = n
	}
	if _, err := a.Number(-1); !errors.Is(err, ErrMissing) {
		t.Errorf("-1: %v", err)
	}
}

func TestMissingClipIsRefused(t *testing.T) {
	for _, name := range []string{"chime/talk", "phrase/is-speaking", "letter/z"} {
		a, _ := mute(t, name)
		got, err := a.Speaking(Person{"Zz", proto.RoleOwner})
		if got != nil || !errors.Is(err, ErrMissing) || !strings.HasSuffix(err.Error(), name) {
			t.Errorf("without %s: %d packets, %v", name, len(got), err)
		}
		if err := a.Check(); !errors.Is(err, ErrMissing) || !strings.HasSuffix(err.Error(), name) {
			t.Errorf("Check without %s: %v", name, err)
		}
	}
}

func TestNames(t *testing.T) {
	a, _ := mute(t)
	spell := func(s string) string { return "letter/" + strings.Join(strings.Split(s, ""), " letter/") }
	for name, want := range map[string]string{
		"Anna":                        "name/anna",
		"ANNA":                        "name/anna",
		"Jörg":                        "name/jorg",
		"Jo\u0308rg":                  "name/jorg", // decomposed
		"Anna-Jörg":                   "name/anna pause/short name/jorg",
		"Anna 🙂":                      "name/anna",
		"Anna B.":                     "name/anna pause/short letter/b",
		"Anna2":                       spell("anna") + " digit/2",
		"Anna 2":                      "name/anna pause/short digit/2",
		"O'Neil":                      spell("oneil"),
		"O’Neil":                      spell("oneil"),
		"Nguyễn":                      spell("nguyen"),
		"Łukasz":                      spell("lukasz"),
		"Groß":                        spell("gross"),
		"GROẞ":                        spell("gross"),
		"Ægir":                        spell("aegir"),
		"Þór":                         spell("thor"),
		"İrem":                        spell("irem"),
		"Ольга":                       "role/adult", // other scripts
		"Ελένη":                       "role/adult",
		"美咲":                          "role/adult",
		"محمد":                        "role/adult",
		"Anna 美咲":                     "role/adult", // and half of another script
		"Anna ٣":                      "role/adult",
		"Ａnna":                        "role/adult", // full width
		"":                            "role/adult",
		"🙂":                           "role/adult",
		"'":                           "role/adult",
		"abcdefghijklmnopqrstuvwxyz":  spell("abcdefghijklmnopqrst"),
		"abcdefghij klmnopqrstuvwxyz": spell("abcdefghij") + " pause/short " + spell("klmnopqrst"),
		"abcdefghijklmnopqrst Anna":   spell("abcdefghijklmnopqrst"),
		strings.Repeat("Anna ", 30):   strings.Repeat("name/anna pause/short ", 19) + "name/anna",
	} {
		if got := strings.Join(a.person(Person{name, proto.RoleAdult}), " "); got != want {
			t.Errorf("%q is spoken %s, want %s", name, got, want)
		}
	}
}

func TestUnknownRoleIsAMember(t *testing.T) {
	a, _ := mute(t)
	if got := a.person(Person{Role: "king"}); !slices.Equal(got, []string{"role/member"}) {
		t.Errorf("spoken %q", got)
	}
}

func TestNameClip(t *testing.T) {
	for word, want := range map[string]string{
		"Jörg": "name/jorg", "Anna": "name/anna", "Anna B": "", "Anna2": "", "Ольга": "", "": "",
	} {
		if got, ok := NameClip(word); got != want || ok != (want != "") {
			t.Errorf("NameClip(%q) = %q, %v", word, got, ok)
		}
	}
}

// FuzzNames looks for names that need a clip which isn't required, or last too long.
func FuzzNames(f *testing.F) {
	f.Add("Anna")
	f.Add("Nguyễn ẞ 9")
	a, err := Default()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		said := a.person(Person{Name: name})
		if n := len(said); n == 0 || n > 2*longest-1 {
			t.Errorf("%q is spoken in %d clips", name, n)
		}
		for _, c := range said {
			if !a.has(c) {
				t.Errorf("%q needs %s", name, c)
			}
		}
	})
}
