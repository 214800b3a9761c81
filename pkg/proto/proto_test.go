package proto

import (
	"errors"
	"strings"
	"testing"
)

func TestNewDeviceIDIsValidAndUnique(t *testing.T) {
	seen := map[DeviceID]bool{}
	for range 100 {
		d := NewDeviceID()
		if !d.Valid() {
			t.Fatalf("NewDeviceID() = %q, not valid", d)
		}
		if seen[d] {
			t.Fatalf("NewDeviceID() = %q twice", d)
		}
		seen[d] = true
	}
}

func TestDeviceIDValid(t *testing.T) {
	good := strings.Repeat("a", 26)
	for id, want := range map[string]bool{
		good: true, "": false, good[:25]: false, good + "a": false,
		good[:25] + "+": false, good[:25] + "/": false, good[:25] + "A": false, good[:25] + "1": false,
	} {
		if got := DeviceID(id).Valid(); got != want {
			t.Errorf("DeviceID(%q).Valid() = %v, want %v", id, got, want)
		}
	}
}

func TestParseIn(t *testing.T) {
	dev := DeviceID(strings.Repeat("a", 26))
	cli := ClientID(strings.Repeat("Z", 42) + "_")
	got, err := ParseIn(dev, TopicIn(dev, cli))
	if err != nil || got != cli {
		t.Fatalf("ParseIn(TopicIn) = %q, %v", got, err)
	}
	for _, topic := range []string{
		"", TopicOut(dev, cli), TopicIn(dev, "short"), TopicIn(dev, cli) + "/x",
		TopicIn(dev, cli[:42]+"+"), TopicIn(DeviceID(strings.Repeat("b", 26)), cli), TopicStatus(dev),
	} {
		if _, err := ParseIn(dev, topic); !errors.Is(err, ErrTopic) {
			t.Errorf("ParseIn(%q) = %v, want ErrTopic", topic, err)
		}
	}
}

func TestEveryCodeHasASentence(t *testing.T) {
	for c, s := range sentences {
		if c.Sentence() != s || !strings.HasSuffix(s, ".") {
			t.Errorf("%s: %q is no sentence", c, s)
		}
	}
	if s := Code("new").Sentence(); !strings.Contains(s, "new") {
		t.Errorf("unknown code: %q does not name it", s)
	}
}
