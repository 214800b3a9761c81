package accesslog

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// goldenLog is the log whose entries are the lines of testdata/entries.txt.
func goldenLog(t testing.TB) *Log {
	t.Helper()
	l := testLog(t, testDB(t), 1)
	if _, err := l.Append(golden[0]); err != nil {
		t.Fatal(err)
	}
	for _, e := range golden[1:] {
		if _, err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func goldenFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGoldenCheckpoint(t *testing.T) {
	want := goldenFile(t, "checkpoint.txt")
	cp := head(t, goldenLog(t))
	if cp.Note != want {
		t.Errorf("signed:\n%s\nwant:\n%s", cp.Note, want)
	}
	got, err := ParseCheckpoint(want, Origin(device, 1), testPublic)
	if err != nil || got != cp || got.Size != uint64(len(golden)) {
		t.Errorf("parsed: %+v, %v", got, err)
	}
}

// signedNote signs any body, as a hostile device could.
func signedNote(t *testing.T, body, name string, keys ...ed25519.PrivateKey) string {
	t.Helper()
	var signers []note.Signer
	for _, key := range keys {
		public, _ := key.Public().(ed25519.PublicKey)
		v, err := verifier(name, public)
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, signer{v, key})
	}
	text, err := note.Sign(&note.Note{Text: body}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseCheckpointRefuses(t *testing.T) {
	origin := Origin(device, 1)
	good := goldenFile(t, "checkpoint.txt")
	lines := strings.SplitAfter(good, "\n") // origin, size, hash, empty, signature
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	signed := func(body string) string { return signedNote(t, body, origin, testKey) }
	const empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	if _, err := ParseCheckpoint(signed(origin+"\n0\n"+empty+"\n"), origin, testPublic); err != nil {
		t.Errorf("the empty log: %v", err)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"no signature":       strings.Join(lines[:3], "") + "\n",
		"no blank line":      strings.Join(lines[:3], "") + lines[4],
		"other size":         strings.Replace(good, "\n"+lines[1], "\n"+"9"+lines[1], 1),
		"signature twice":    good + lines[4],
		"cosigned":           signedNote(t, strings.Join(lines[:3], ""), origin, testKey, other),
		"other key":          signedNote(t, strings.Join(lines[:3], ""), origin, other),
		"other name":         signedNote(t, strings.Join(lines[:3], ""), Origin(device, 2), testKey),
		"other origin":       signed(Origin(device, 2) + "\n" + lines[1] + lines[2]),
		"a fourth line":      signed(strings.Join(lines[:3], "") + "more\n"),
		"two lines":          signed(origin + "\n" + lines[1]),
		"leading zero":       signed(origin + "\n0" + lines[1] + lines[2]),
		"plus":               signed(origin + "\n+" + lines[1] + lines[2]),
		"negative":           signed(origin + "\n-1\n" + lines[2]),
		"too large":          signed(origin + "\n9007199254740992\n" + lines[2]),
		"far too large":      signed(origin + "\n18446744073709551616\n" + lines[2]),
		"hash too short":     signed(origin + "\n" + lines[1] + "AAAA\n"),
		"hash not canonical": signed(origin + "\n0\n" + strings.Replace(empty, "U=", "V=", 1) + "\n"),
		"hash unpadded":      signed(origin + "\n0\n" + strings.TrimSuffix(empty, "=") + "\n"),
		"empty log, hash":    signed(origin + "\n0\n" + lines[2]),
		"carriage return":    strings.ReplaceAll(good, "\n", "\r\n"),
		"line end missing":   strings.TrimSuffix(good, "\n"),
		"more behind":        good + "\n",
		"too long":           good + strings.Repeat(lines[4], 20),
	} {
		if cp, err := ParseCheckpoint(text, origin, testPublic); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %+v, %v", name, cp, err)
		}
	}
	if _, err := ParseCheckpoint(good, origin, nil); err == nil {
		t.Error("read without a key")
	}
}

// Each character counts: there is no second way to write a checkpoint.
func TestParseCheckpointRefusesEachChange(t *testing.T) {
	good := goldenFile(t, "checkpoint.txt")
	for i := range len(good) {
		for bit := range 8 {
			b := []byte(good)
			b[i] ^= 1 << bit
			if cp, err := ParseCheckpoint(string(b), Origin(device, 1), testPublic); err == nil {
				t.Errorf("bit %d of byte %d: %+v", bit, i, cp)
			}
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(goldenFile(f, "checkpoint.txt"))
	f.Add("camd/x/1\n1\n\n\n— camd/x/1 AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		cp, err := ParseCheckpoint(text, Origin(device, 1), testPublic)
		if err != nil {
			if !errors.Is(err, ErrCheckpoint) {
				t.Error(err)
			}
			return
		}
		if cp.Note != text || !strings.HasPrefix(text, cp.body(Origin(device, 1))) {
			t.Errorf("%q read as %+v", text, cp)
		}
	})
}

// FuzzParseBody is what a device that signs anything can get at.
func FuzzParseBody(f *testing.F) {
	body, _, _ := strings.Cut(goldenFile(f, "checkpoint.txt"), "\n\n")
	f.Add(body + "\n")
	f.Fuzz(func(t *testing.T, body string) {
		cp, err := parseBody(body, Origin(device, 1))
		if err == nil && cp.body(Origin(device, 1)) != body {
			t.Errorf("%q read as %+v", body, cp)
		}
	})
}
