package home

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func TestWords(t *testing.T) {
	for id, want := range map[proto.ClientID]string{
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": "abandon abandon abandon abandon abandon abandon",
		"__________________________________________8": "zoo zoo zoo zoo zoo zoo",
		// 00000000001 00000000010 ... 00000000110 and then ones
		"ACAIAYBACgG_______________________________8": "ability able about above absent absorb",
		// The client of the vectors of docs/protocol.md 4.7, reckoned by other means.
		"YocEU0QaxZ2nsshiMfEyan5edkBDMypl-Us7O_0WT9w": "glad deal below market proof solution",
		"":                                 "",
		"YocEU0QaxZ2nsshiMfEyan5edkBDMypl": "",
		"Anna":                             "",
		"YocEU0QaxZ2nsshiMfEyan5edkBDMypl-Us7O_0WT9=": "",
	} {
		if got := Words(id); got != want {
			t.Errorf("Words(%s) = %q, want %q", id, got, want)
		}
	}
}

func TestWordsAreOfAListThatCanBeHeard(t *testing.T) {
	if n := len(wordlists.English); n != 1<<wordBits {
		t.Fatalf("%d words", n)
	}
	if first, last := wordlists.English[0], wordlists.English[2047]; first != "abandon" || last != "zoo" || !slices.IsSorted(wordlists.English) {
		t.Errorf("from %q to %q, or not in order", first, last)
	}
}

func TestKeyText(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		t.Fatal(err)
	}
	text := FormatKey(card)
	wrapped := text[:70] + "\r\n  " + text[70:140] + " \n\t" + text[140:]
	for name, text := range map[string]string{
		"as it is": text, "blanks around": " \t" + text + "\r\n\n", "wrapped by a mail": wrapped,
	} {
		key, got, err := ParseKey(text)
		if err != nil || key.ClientID() != keys.ID() || string(got) != string(card) || !key.Enc.Equal(keys.Opener().PublicKey()) {
			t.Errorf("%s: %+v, %v", name, key, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		t.Fatal(err)
	}
	text := FormatKey(card)
	foreign, err := envelope.Sign(envelope.TypeKeyCard, string(keys.ID()), struct{}{}, keys.Signer())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text, says string
		is               error
	}{
		{"nothing", "", "empty", envelope.ErrGarbled},
		{"blanks", " \n", "empty", envelope.ErrGarbled},
		{"a label", "CAMD:1?d=camdtestdevice222222222222&s=x&k=y", "label", envelope.ErrGarbled},
		{"six words", "Glad deal below market proof solution", "compare", envelope.ErrGarbled},
		{"other words", "my key is on its way", "not a key", envelope.ErrGarbled},
		{"a name", string(keys.ID()), "not a key", envelope.ErrGarbled},
		{"the card alone", string(card), "begins with CAMD-KEY:", envelope.ErrGarbled},
		{"a later version", "CAMD-KEY:2?" + string(card), "Update", ErrNewer},
		{"a version that begins alike", "CAMD-KEY:11?" + string(card), "Update", ErrNewer},
		{"no card", "CAMD-KEY:1?", "cut short", envelope.ErrGarbled},
		{"cut short", text[:len(text)-1], "cut short", envelope.ErrGarbled},
		{"more after it", text + "A", "cut short", envelope.ErrGarbled},
		{"a card of nothing", FormatKey(foreign), "cut short", envelope.ErrKey},
		{"too long", text + strings.Repeat(" ", proto.MaxMessage), "too long", envelope.ErrOversized},
	} {
		key, got, err := ParseKey(c.text)
		var p *Problem
		if !errors.As(err, &p) || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%v), want %v and %q", c.name, err, errors.Unwrap(err), c.is, c.says)
		}
		if got != nil || key != (envelope.PublicKey{}) {
			t.Errorf("%s: refused, and yet a key", c.name)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	keys, err := NewKeys()
	if err != nil {
		f.Fatal(err)
	}
	card, err := keys.Card()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(FormatKey(card))
	f.Add("CAMD-KEY:1?e30.e30.e30")
	f.Fuzz(func(t *testing.T, text string) {
		key, got, err := ParseKey(text)
		var p *Problem
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("not for people: %v", err)
		}
		if err != nil {
			return
		}
		if again, _, err := ParseKey(FormatKey(got)); err != nil || !again.Equal(key) || Words(key.ClientID()) == "" {
			t.Fatalf("%q reads as %+v, and again as %+v, %v", text, key, again, err)
		}
	})
}
