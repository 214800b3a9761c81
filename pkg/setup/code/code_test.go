package code

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/camd-project/camd/pkg/proto"
)

const device = "abcdefghijklmnopqrstuvwxyz"

// secret is the bytes 01 to 10 (hex), as in docs/protocol.md 3.10.
var secret = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// filled is n bytes that begin with first and rise.
func filled(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// simple returns a body with nothing that may be missing.
func simple() Body {
	return Body{Sig: filled(0x10, KeySize), Enc: filled(0x40, KeySize), Proof: filled(0x70, ProofSize)}
}

func withEST() Body {
	b := simple()
	b.WiFi = &WiFi{SSID: []byte("Home"), Password: "correct horse battery"}
	b.Broker = &Broker{URL: "mqtts://broker.home:8883", CA: filled(0, 420)}
	b.EST = &EST{URL: "https://est.home/.well-known/est", User: "camera", Password: "once"}
	return b
}

func withLogin() Body {
	b := simple()
	b.WiFi = &WiFi{SSID: []byte{0xff, 0x00, 0x01}, Hidden: true, OpenOK: true}
	b.Broker = &Broker{URL: "mqtts://10.0.0.2", ViewerURL: "mqtts://10.0.0.2:8884", ServerName: "broker.home"}
	b.Login = &Login{Chain: [][]byte{filled(1, 400)}, Key: filled(7, ScalarSize)}
	return b
}

// vector is one of testdata/vectors.json. docs/protocol.md 3.12.6.
type vector struct {
	Name   string   `json:"name"`
	Nonce  string   `json:"nonce"`
	Body   string   `json:"body"` // CBOR, hex
	Sealed string   `json:"sealed"`
	Hash   string   `json:"hash"`
	Parts  []string `json:"parts"`
}

type vectors struct {
	Device string   `json:"deviceId"`
	Secret string   `json:"secret"`
	Codes  []vector `json:"codes"`
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Device: device, Secret: hex.EncodeToString(secret[:])}
	for i, c := range []struct {
		name string
		body Body
	}{{"least", simple()}, {"est", withEST()}, {"login", withLogin()}} {
		nonce := filled(byte(0xa0+i), nonceSize)
		s, err := seal(secret, device, c.body, nonce)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := encoding.Marshal(c.body)
		if err != nil {
			t.Fatal(err)
		}
		v.Codes = append(v.Codes, vector{c.name, hex.EncodeToString(nonce), hex.EncodeToString(plain), hex.EncodeToString(s), s.Hash(), s.Parts()})
	}
	return v
}

const vectorFile = "testdata/vectors.json"

func TestVectors(t *testing.T) {
	got, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("CAMD_UPDATE_VECTORS") != "" {
		if err := os.WriteFile(vectorFile, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, '\n'), want) {
		t.Fatalf("%s is another:\n%s", vectorFile, got)
	}
}

// The vectors, read: what a device makes of them.
func TestVectorsOpen(t *testing.T) {
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for i, want := range []Body{simple(), withEST(), withLogin()} {
		var c Collector
		var s Sealed
		for _, p := range v.Codes[i].Parts {
			if s, _, err = c.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Open(secret, device, s)
		if err != nil || fmt.Sprintf("%#v", *pointers(got)) != fmt.Sprintf("%#v", *pointers(want)) {
			t.Errorf("%s: %v", v.Codes[i].Name, err)
		}
		again, err := seal(secret, device, got, s[:nonceSize])
		if err != nil || !bytes.Equal(again, s) {
			t.Errorf("%s is written again as another: %v", v.Codes[i].Name, err)
		}
	}
}

// pointers returns a body as a type that prints what it holds.
func pointers(b Body) *struct{ A any } { return &struct{ A any }{must(encoding.Marshal(b))} }

func TestOpenRefuses(t *testing.T) {
	s, err := Seal(secret, device, withEST())
	if err != nil {
		t.Fatal(err)
	}
	other := secret
	other[0]++
	if _, err := Open(other, device, s); !errors.Is(err, ErrSecret) {
		t.Errorf("another label's secret: %v", err)
	}
	if _, err := Open(secret, "b"+proto.DeviceID(device[1:]), s); !errors.Is(err, ErrSecret) {
		t.Errorf("another device: %v", err)
	}
	for i := range s {
		bad := bytes.Clone(s)
		bad[i] ^= 1
		if _, err := Open(secret, device, bad); !errors.Is(err, ErrSecret) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, n := range []int{0, nonceSize + tagSize - 1, MaxSealed + 1} {
		if _, err := Open(secret, device, make(Sealed, n)); !errors.Is(err, ErrSecret) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	again, err := Seal(secret, device, withEST())
	if err != nil || bytes.Equal(again, s) {
		t.Errorf("two codes are the same: %v", err)
	}
}

func TestBodyIsChecked(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for name, change := range map[string]func(*Body){
		"short key":          func(b *Body) { b.Sig = b.Sig[1:] },
		"long key":           func(b *Body) { b.Enc = append(b.Enc, 0) },
		"no proof":           func(b *Body) { b.Proof = nil },
		"no broker":          func(b *Body) { b.Broker.URL = "" },
		"broker's line":      func(b *Body) { b.Broker.URL = "mqtts://a\nb" },
		"long viewer":        func(b *Body) { b.Broker.ViewerURL = long },
		"no UTF-8":           func(b *Body) { b.Broker.ServerName = "\xff" },
		"large authority":    func(b *Body) { b.Broker.CA = make([]byte, maxCertificate+1) },
		"no network":         func(b *Body) { b.WiFi.SSID = nil },
		"long network":       func(b *Body) { b.WiFi.SSID = make([]byte, maxSSID+1) },
		"long password":      func(b *Body) { b.WiFi.Password = proto.Secret(strings.Repeat("p", maxPassword+1)) },
		"password's control": func(b *Body) { b.WiFi.Password = "\x7f" },
		"no EST":             func(b *Body) { b.EST.URL = "" },
		"long EST password":  func(b *Body) { b.EST.Password = proto.Secret(long) },
		"two ways":           func(b *Body) { b.Login = withLogin().Login },
		"no certificate":     func(b *Body) { b.EST, b.Login = nil, &Login{Key: filled(0, ScalarSize)} },
		"empty certificate":  func(b *Body) { b.EST, b.Login = nil, &Login{Chain: [][]byte{{}}, Key: filled(0, ScalarSize)} },
		"short private key":  func(b *Body) { b.EST, b.Login = nil, &Login{Chain: [][]byte{{1}}, Key: filled(0, 3)} },
		"many certificates": func(b *Body) {
			b.EST, b.Login = nil, &Login{Chain: make([][]byte, maxChain+1), Key: filled(0, ScalarSize)}
		},
	} {
		b := withEST()
		change(&b)
		if _, err := Seal(secret, device, b); !errors.Is(err, ErrBody) {
			t.Errorf("%s is sealed: %v", name, err)
		}
		plain, err := encoding.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(plain); !errors.Is(err, ErrBody) {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
	b := withLogin()
	for range maxChain - 1 {
		b.Login.Chain = append(b.Login.Chain, make([]byte, maxCertificate))
	}
	if _, err := Seal(secret, device, b); !errors.Is(err, ErrBody) {
		t.Errorf("a body that is too large is sealed: %v", err)
	}
}

// TestOneForm: CBOR says the same thing in many ways, of which one is taken.
func TestOneForm(t *testing.T) {
	good, err := encoding.Marshal(simple())
	if err != nil {
		t.Fatal(err)
	}
	swap := func(from, to string) []byte {
		a, err := hex.DecodeString(from)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(to)
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Replace(good, a, b, 1)
		if bytes.Equal(out, good) {
			t.Fatalf("%s is not in the body", from)
		}
		return out
	}
	for name, bad := range map[string][]byte{
		"more after it":     append(bytes.Clone(good), 0),
		"cut":               good[:len(good)-1],
		"a longer length":   swap("a3", "b803"),
		"a longer key":      swap("015821", "18015821"),
		"a longer string":   swap("015821", "01590021"),
		"a member twice":    swap("025821", "015821"),
		"an unknown member": swap("a3", "a40800"),
		"an empty member":   swap("a3015821", "a4015821"),
		"endless":           append(append([]byte{0xbf}, good[1:]...), 0xff),
		"tagged":            append([]byte{0xc1}, good...),
		"text for bytes":    swap("015821", "017821"),
		"names for numbers": {0xa1, 0x63, 'S', 'i', 'g', 0x40},
		"no map":            {0x80},
		"null":              {0xf6},
		"nothing":           {},
	} {
		if b, err := decode(bad); !errors.Is(err, ErrBody) {
			t.Errorf("%s is taken: %v, %v", name, must(encoding.Marshal(b)), err)
		}
	}
	// Members in another order.
	other, err := (cbor.EncOptions{}).EncMode()
	if err != nil {
		t.Fatal(err)
	}
	last := must(other.Marshal(map[int]any{3: simple().Proof}))
	moved := append([]byte{0xa3}, last[1:]...)
	moved = append(moved, good[1:len(good)-len(last)+1]...)
	if _, err := decode(moved); !errors.Is(err, ErrBody) {
		t.Errorf("members in another order are taken: %v", err)
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	b := withEST()
	b.WiFi.Password, b.EST.Password = "topsecret", "topsecret"
	l := Login{Key: proto.PrivateKey("topsecret")}
	for _, v := range []any{b, &b, b.WiFi, *b.WiFi, *b.EST, l, b.WiFi.Password, l.Key} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "topsecret") || strings.Contains(s, hex.EncodeToString([]byte("topsecret"))) {
				t.Errorf("%T with %s prints %s", v, verb, s)
			}
		}
	}
}

func TestPartsComeInAnyOrder(t *testing.T) {
	a, err := Seal(secret, device, withLogin())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Seal(secret, device, withEST())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		texts := append(append(a.Parts(), a.Parts()...), b.Parts()...)
		random.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		var c Collector
		var got []Sealed
		for _, s := range texts {
			code, p, err := c.Add(s)
			if err != nil || p.Have > p.Of {
				t.Fatal(p, err)
			}
			if code != nil {
				got = append(got, code)
			}
		}
		for _, want := range []Sealed{a, b} {
			found := false
			for _, g := range got {
				found = found || bytes.Equal(g, want)
			}
			if !found {
				t.Fatalf("with seed %d a code of %d parts is not there", seed, len(want.Parts()))
			}
		}
	}
}

func TestPartsAreWhatQRCodesWriteShort(t *testing.T) {
	s := make(Sealed, MaxSealed)
	parts := s.Parts()
	if len(parts) != MaxParts {
		t.Fatalf("%d parts", len(parts))
	}
	for _, p := range parts {
		if strings.Trim(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:") != "" {
			t.Fatalf("%s is not alphanumeric", p)
		}
		if len(p) > 122 { // what version 5 of level M holds, ISO/IEC 18004 table 7
			t.Fatalf("%d characters", len(p))
		}
	}
}

func TestCollectorRefuses(t *testing.T) {
	s, err := Seal(secret, device, withEST())
	if err != nil {
		t.Fatal(err)
	}
	first := s.Parts()[0]
	for text, want := range map[string]error{
		"":                              ErrForeign,
		"https://example.com":           ErrForeign,
		"WIFI:S:Home;T:WPA;P:secret;;":  ErrForeign,
		"CAMD:1?d=":                     ErrForeign,
		"CAMDC2:" + first[len(Prefix):]: ErrVersion,
		strings.ToLower(first):          ErrForeign,
		first[:headSize]:                ErrForeign,
		first[:len(first)-1]:            ErrForeign,
		first + "A":                     ErrForeign,
		first[:headSize] + "\n" + first[headSize:]:                        ErrForeign,
		Prefix + "BA" + first[len(Prefix)+2:]:                             ErrForeign, // the second of one
		Prefix + "1A" + first[len(Prefix)+2:]:                             ErrForeign,
		Prefix + "AA" + strings.Repeat("A", 8) + strings.Repeat("A", 112): ErrForeign, // more than a part holds
	} {
		var c Collector
		if code, p, err := c.Add(text); !errors.Is(err, want) || code != nil || p != (Progress{}) || len(c.series) > 0 {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// Parts that don't belong together make no code, and the right ones still do.
func TestMixedParts(t *testing.T) {
	s, err := Seal(secret, device, withEST())
	if err != nil {
		t.Fatal(err)
	}
	parts := s.Parts()
	wrong := []byte(parts[0])
	wrong[headSize] ^= 'A' ^ 'B'
	if wrong[headSize] < 'A' || wrong[headSize] > 'Z' {
		wrong[headSize] = 'A'
	}
	var c Collector
	for i, p := range append([]string{string(wrong)}, parts[1:]...) {
		code, _, err := c.Add(p)
		if code != nil || (err != nil) != (i == len(parts)-1) {
			t.Fatalf("part %d: %v", i, err)
		}
	}
	for _, p := range parts {
		code, _, err := c.Add(p)
		if err != nil {
			t.Fatal(err)
		}
		if code != nil && bytes.Equal(code, s) {
			return
		}
	}
	t.Fatal("the right parts make no code")
}

// Whoever shows many beginnings doesn't fill the memory.
func TestCollectorIsBounded(t *testing.T) {
	var c Collector
	for range 100 {
		s, err := Seal(secret, device, withLogin())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Add(s.Parts()[0]); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.series) != maxSeries {
		t.Fatalf("%d series are kept", len(c.series))
	}
}

func FuzzAdd(f *testing.F) {
	s, err := Seal(secret, device, withEST())
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range s.Parts() {
		f.Add(p)
	}
	f.Add(Prefix)
	var c Collector
	f.Fuzz(func(t *testing.T, text string) {
		code, p, err := c.Add(text)
		if err != nil && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		if err == nil && (p.Have < 1 || p.Have > p.Of || p.Of > MaxParts) || len(code) > MaxSealed {
			t.Fatalf("%v, %d bytes", p, len(code))
		}
		for _, s := range code.Parts() {
			if code != nil && !strings.HasPrefix(s, Prefix) {
				t.Fatal(s)
			}
		}
	})
}

// FuzzBody is what somebody shows who holds the label's secret.
func FuzzBody(f *testing.F) {
	for _, b := range []Body{simple(), withEST(), withLogin()} {
		plain, err := encoding.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		b, err := decode(plain)
		if err != nil {
			if !errors.Is(err, ErrBody) {
				t.Fatal(err)
			}
			return
		}
		if again := must(encoding.Marshal(b)); !bytes.Equal(again, plain) {
			t.Fatalf("%x is written again as %x", plain, again)
		}
	})
}
