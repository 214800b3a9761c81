package release

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

const manifest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func testLeaf(version string, targets int64) Leaf {
	return Leaf{Compatible: "camd-rpi4-64", Manifest: manifest, Targets: targets, Version: version}
}

func TestVersions(t *testing.T) {
	for _, good := range []string{"0.0.1", "1.2.0", "10.20.30", "2.0.0-rc.1", "1.0.0-alpha"} {
		if !ValidVersion(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "1", "1.2", "v1.2.0", "1.2.0+build", "01.2.0", "1.2.0-", "1.2.0-01", "1.2.0\n", " 1.2.0", "1.2.0-" + strings.Repeat("a", 64)} {
		if ValidVersion(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"1.2.0", "1.2.0", 0}, {"1.10.0", "1.9.9", 1}, {"2.0.0-rc.1", "2.0.0", -1}, {"unknown", "0.0.1", -1}, {"0.0.1", "", 1}} {
		if got := Compare(tt.a, tt.b); got != tt.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// The words of docs/updates.md 4.1, byte by byte.
func TestGoldenLeaf(t *testing.T) {
	l := testLeaf("1.2.0", 3)
	const text = `{"compatible":"camd-rpi4-64","manifest":"` + manifest + `","targets":3,"version":"1.2.0"}`
	if string(l.Text()) != text {
		t.Errorf("%s", l.Text())
	}
	const want = "dcf96c11fe4fc1528b08f6a00e1c4c2e186ac7a27d494e7179c0e2716d2d27e4"
	if h := l.Hash(); hex.EncodeToString(h[:]) != want {
		t.Errorf("hash %x", h)
	}
	if got, err := ParseLeaf([]byte(text)); err != nil || got != l {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseLeafRefuses(t *testing.T) {
	good := string(testLeaf("1.2.0", 3).Text())
	for name, text := range map[string]string{
		"empty":              "",
		"space":              strings.Replace(good, `,"targets"`, `, "targets"`, 1),
		"line end":           good + "\n",
		"another order":      `{"version":"1.2.0",` + strings.TrimSuffix(good[1:], `,"version":"1.2.0"}`) + "}",
		"a member more":      strings.Replace(good, `,"targets"`, `,"more":1,"targets"`, 1),
		"a member twice":     strings.Replace(good, `,"targets"`, `,"targets":2,"targets"`, 1),
		"another case":       strings.Replace(good, `"version"`, `"Version"`, 1),
		"no version":         strings.Replace(good, `1.2.0`, ``, 1),
		"upper hex":          strings.Replace(good, `e3b0`, `E3B0`, 1),
		"short manifest":     strings.Replace(good, `e3b0`, ``, 1),
		"targets 0":          strings.Replace(good, `:3,`, `:0,`, 1),
		"targets negative":   strings.Replace(good, `:3,`, `:-3,`, 1),
		"targets fraction":   strings.Replace(good, `:3,`, `:3.0,`, 1),
		"targets too large":  strings.Replace(good, `:3,`, `:9007199254740993,`, 1),
		"compatible escapes": strings.Replace(good, `camd-rpi4`, `camd\u002drpi4`, 1),
		"compatible a path":  strings.Replace(good, `camd-rpi4`, `../rpi4`, 1),
		"too long":           strings.Repeat(" ", 600) + good,
		"two":                good + good,
	} {
		if l, err := ParseLeaf([]byte(text)); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(testLeaf("1.2.0", 3).Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLeaf(text)
		if err == nil && string(l.Text()) != string(text) {
			t.Errorf("%q read as %+v", text, l)
		} else if err != nil && !errors.Is(err, ErrLeaf) {
			t.Error(err)
		}
	})
}

func goodCustom() Custom {
	return Custom{Version: "1.2.0", Compatible: "camd-rpi4-64", Manifest: manifest, Minimum: "1.0.0", Lowest: "1.1.0",
		Notes: "Better sound <b>", Security: true, Targets: 3, Log: 2}
}

func TestGoldenCustom(t *testing.T) {
	const want = `{"version":"1.2.0","compatible":"camd-rpi4-64","manifest":"` + manifest +
		`","minimum":"1.0.0","lowest":"1.1.0","notes":"Better sound <b>","security":true,"targets":3,"log":2}`
	text, err := goodCustom().Marshal()
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if c, err := ParseCustom([]byte(strings.Replace(want, "{", `{"later":[1],`, 1))); err != nil || c != goodCustom() {
		t.Errorf("%+v, %v", c, err)
	}
	if c := goodCustom(); c.Leaf() != testLeaf("1.2.0", 3) {
		t.Errorf("%+v", c.Leaf())
	}
}

func TestCustomThatCantBeUsed(t *testing.T) {
	for name, spoil := range map[string]func(*Custom){
		"no version":       func(c *Custom) { c.Version = "" },
		"other version":    func(c *Custom) { c.Version = "v1.2.0" },
		"compatible":       func(c *Custom) { c.Compatible = "a/b" },
		"compatible long":  func(c *Custom) { c.Compatible = strings.Repeat("a", MaxCompatible+1) },
		"manifest":         func(c *Custom) { c.Manifest = "00" },
		"no minimum":       func(c *Custom) { c.Minimum = "" },
		"no lowest":        func(c *Custom) { c.Lowest = "" },
		"minimum is newer": func(c *Custom) { c.Minimum = "1.2.1" },
		"lowest is newer":  func(c *Custom) { c.Lowest = "1.2.1" },
		"notes":            func(c *Custom) { c.Notes = strings.Repeat("a", maxNotes+1) },
		"targets":          func(c *Custom) { c.Targets = 0 },
		"log":              func(c *Custom) { c.Log = -1 },
	} {
		c := goodCustom()
		spoil(&c)
		if _, err := c.Marshal(); !errors.Is(err, ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "a list": "[]", "null": "null", "wrong kind": `{"version":1}`, "too long": strings.Repeat(" ", maxCustom+1)} {
		if _, err := ParseCustom([]byte(text)); !errors.Is(err, ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseCustom(f *testing.F) {
	text, err := goodCustom().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCustom(text)
		if err != nil {
			if !errors.Is(err, ErrRelease) {
				t.Error(err)
			}
			return
		}
		again, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := ParseCustom(again); err != nil || d.Leaf() != c.Leaf() || d.Minimum != c.Minimum {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}

func TestRollout(t *testing.T) {
	r, err := ParseRollout([]byte(`{"releases":[{"version":"1.2.0","percent":25,"halted":false},{"version":"1.1.0","percent":100,"halted":true},{"version":"1.0.0","percent":100}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const all = 4000
	count := map[string]int{}
	both := 0
	r.Releases = append(r.Releases, Share{Version: "1.3.0", Percent: 25})
	for i := range all {
		device := hex.EncodeToString([]byte{byte(i), byte(i >> 8)})
		for _, v := range []string{"1.2.0", "1.1.0", "1.0.0", "0.9.0"} {
			if r.Takes(v, device) {
				count[v]++
			}
		}
		if r.Takes("1.2.0", device) && r.Takes("1.3.0", device) {
			both++
		}
	}
	if count["1.1.0"] != 0 || count["0.9.0"] != 0 || count["1.0.0"] != all {
		t.Errorf("halted, unnamed, whole: %v", count)
	}
	if n := count["1.2.0"]; n < all/5 || n > all*3/10 {
		t.Errorf("a quarter is %d of %d", n, all)
	}
	if both < all/32 || both > all/10 {
		t.Errorf("%d of %d are among the first of both versions, want a sixteenth", both, all)
	}
	// Golden: who reads docs/updates.md comes to the same place.
	if p := place("1.2.0", "dev-1"); p != 1846 {
		t.Errorf("place %d", p)
	}
}

func TestRolloutThatCantBeUsed(t *testing.T) {
	many := `{"releases":[` + strings.TrimSuffix(strings.Repeat(`{"version":"1.2.0","percent":1},`, 33), ",") + `]}`
	for name, text := range map[string]string{
		"empty": "", "a list": "[]x", "version": `{"releases":[{"version":"x","percent":1}]}`, "many": many,
		"negative": `{"releases":[{"version":"1.2.0","percent":-1}]}`, "above": `{"releases":[{"version":"1.2.0","percent":101}]}`,
		"twice":    `{"releases":[{"version":"1.2.0","percent":1},{"version":"1.2.0","percent":100}]}`,
		"fraction": `{"releases":[{"version":"1.2.0","percent":1.5}]}`, "too long": strings.Repeat(" ", maxCustom+1),
	} {
		if r, err := ParseRollout([]byte(text)); !errors.Is(err, ErrRollout) || len(r.Releases) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzParseRollout(f *testing.F) {
	f.Add([]byte(`{"releases":[{"version":"1.2.0","percent":25,"halted":false}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRollout(text)
		if err != nil && (!errors.Is(err, ErrRollout) || len(r.Releases) != 0) {
			t.Errorf("%+v, %v", r, err)
		}
		for _, s := range r.Releases {
			if s.Percent < 0 || s.Percent > 100 {
				t.Errorf("%q read as %+v", text, s)
			}
		}
	})
}

// bundleOf returns what RAUC's bundle of the format verity is to who reads its manifest.
func bundleOf(cms []byte) []byte {
	return binary.BigEndian.AppendUint64(append([]byte("squashfs"), cms...), uint64(len(cms)))
}

// A bundle that RAUC 1.8 made, of which only the CMS message is kept.
func TestManifestOfABundle(t *testing.T) {
	cms, err := os.ReadFile("testdata/signature.der")
	if err != nil {
		t.Fatal(err)
	}
	b := bundleOf(cms)
	m, err := Manifest(bytes.NewReader(b), int64(len(b)))
	if err != nil || !strings.Contains(string(m), "compatible=camd-rpi4-64\nversion=1.2.0\n") {
		t.Errorf("%q, %v", m, err)
	}
	if got := ManifestHash(m); got != "991943ae6383ce5ce097cad6f2325a8724e19087fa03bbb1e0c8b679326d4a9c" {
		t.Errorf("hash %s", got)
	}
	detached, err := os.ReadFile("testdata/detached.der")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"plain":        {bundleOf(detached), ErrDetached},
		"empty":        {nil, ErrBundle},
		"seven bytes":  {make([]byte, 7), ErrBundle},
		"no signature": {make([]byte, 100), ErrBundle},
		"too long":     {binary.BigEndian.AppendUint64(nil, 1<<63), ErrBundle},
		"cut short":    {bundleOf(cms[:len(cms)-1]), ErrBundle},
		"more behind":  {bundleOf(append(bytes.Clone(cms), 0)), ErrBundle},
		"text":         {bundleOf([]byte("hello")), ErrBundle},
	} {
		if m, err := Manifest(bytes.NewReader(tt.data), int64(len(tt.data))); !errors.Is(err, tt.want) || m != nil {
			t.Errorf("%s: %q, %v", name, m, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	for _, name := range []string{"signature.der", "detached.der"} {
		cms, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bundleOf(cms))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Manifest(bytes.NewReader(data), int64(len(data)))
		if err == nil && !bytes.Contains(data, m) {
			t.Errorf("%q is not of this file", m)
		}
	})
}
