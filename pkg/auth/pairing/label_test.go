package pairing

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const labelText = "CAMD:1?d=camdtestdevice222222222222&s=aebagbafaydqqcikbmga2dqpca&k="

func TestLabelRoundTrip(t *testing.T) {
	want := newClient(t).Label
	if text := want.Text(); !strings.HasPrefix(text, labelText) || len(text) != len(labelText)+43 {
		t.Errorf("Text() = %q", text)
	}
	got, err := ParseLabel(" " + want.Text() + "\n")
	if err != nil || got != want {
		t.Fatalf("ParseLabel = %+v, %v", got, err)
	}
	typed, err := ParseTyped(testDevice, want.TypedText())
	if err != nil || typed.Secret != want.Secret || len(want.TypedText()) != 38+9 {
		t.Fatalf("ParseTyped(%q) = %+v, %v", want.TypedText(), typed, err)
	}
	loose := strings.ToUpper(strings.ReplaceAll(want.TypedText(), "-", "  "))
	if again, err := ParseTyped(testDevice, loose); err != nil || again != typed {
		t.Fatalf("ParseTyped(%q) = %+v, %v", loose, again, err)
	}
}

func TestParseLabelSaysWhatIsWrong(t *testing.T) {
	good := newClient(t).Label.Text()
	for text, says := range map[string]string{
		"": "begin with CAMD:1?", "https://example.org": "begin with CAMD:1?",
		strings.Replace(good, "CAMD:1", "CAMD:2", 1):                                    "version",
		strings.Replace(good, "CAMD:1", "camd:1", 1):                                    "begin with",
		strings.Replace(good, "&k=", "", 1):                                             "three parts",
		good + "&x=1":                                                                   "three parts",
		strings.Replace(good, "d=", "D=", 1):                                            `"d="`,
		"CAMD:1?s=a&d=b&k=c":                                                            `"d="`,
		strings.Replace(good, "testdevice", "testdevic1", 1):                            "device id",
		strings.Replace(good, "s=ae", "s=AE", 1):                                        "secret",
		strings.Replace(good, "pca&", "pcb&", 1):                                        "secret", // spare bits
		strings.Replace(good, "s=ae", "s=\nae", 1):                                      "secret",
		strings.Replace(good, "aebagbafaydqqcikbmga2dqpca", strings.Repeat("a", 26), 1): "secret",
		good[:len(good)-1]:                                                              "key digest",
		good[:len(good)-1] + "\n":                                                       "key digest",
		good + "=":                                                                      "key digest",
	} {
		if l, err := ParseLabel(text); !errors.Is(err, ErrLabel) || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseLabel(%q) = %v, %v; want %q", text, l, err, says)
		}
	}
}

func TestParseTypedSaysWhatIsWrong(t *testing.T) {
	good := newClient(t).Label.TypedText()
	for text, says := range map[string]string{
		"": "0 characters", good + "a": "39 characters",
		strings.Replace(good, "aeba", "ae0a", 1): "'0'",
		strings.Repeat("a", 38):                  "empty",
	} {
		if l, err := ParseTyped(testDevice, text); !errors.Is(err, ErrLabel) || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseTyped(%q) = %v, %v; want %q", text, l, err, says)
		}
	}
	if _, err := ParseTyped("../x", good); !errors.Is(err, ErrLabel) {
		t.Errorf("bad device id: %v", err)
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	l := newClient(t).Label
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", l.Secret, "text", l.String())
	out := log.String() + fmt.Sprintf("%v %+v %#v %s %v", l.Secret, l.Secret, l.Secret, l, &l)
	for _, leak := range []string{"aebagb", "1 2 3", "0x1, 0x2", "AQID"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is in %s", leak, out)
		}
	}
	if a, b := NewSecret(), NewSecret(); a == b || a == (Secret{}) {
		t.Error("NewSecret repeats itself")
	}
}

func TestNewLabelRefuses(t *testing.T) {
	key := sigKey(t, "x").Public()
	if _, err := NewLabel("x", testSecret(), key); !errors.Is(err, ErrLabel) {
		t.Errorf("bad device: %v", err)
	}
	if _, err := NewLabel(testDevice, Secret{}, key); !errors.Is(err, ErrLabel) {
		t.Errorf("no secret: %v", err)
	}
	if _, err := NewLabel(testDevice, testSecret(), "no key"); err == nil {
		t.Error("no key: accepted")
	}
}
