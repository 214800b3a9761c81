package led

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sysfs makes a folder with the shape of the LED class. A value is what a file holds;
// empty: there is no such file.
func sysfs(t *testing.T, name, brightness, top, trigger string) Class {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"brightness": brightness, "max_brightness": top, "trigger": trigger} {
		if text != "" {
			put(t, filepath.Join(dir, name, file), text)
		}
	}
	return Class(dir)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, l LED, file string) string {
	t.Helper()
	b, err := os.ReadFile(l.path(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const free = "[none] timer heartbeat default-on\n"

func TestSwitching(t *testing.T) {
	c := sysfs(t, "red:live", "17\n", "255\n", free)
	l := c.LED("red:live")
	for _, on := range []bool{true, false, true} {
		if err := l.Set(on); err != nil {
			t.Fatalf("Set(%v) = %v", on, err)
		}
		want := map[bool]string{true: "255", false: "0"}[on]
		if got := read(t, l, "brightness"); got != want {
			t.Errorf("brightness %q, want %q", got, want)
		}
		if l.Is(on) != nil || !errors.Is(l.Is(!on), ErrOther) {
			t.Errorf("Is(%v) = %v, Is(%v) = %v", on, l.Is(on), !on, l.Is(!on))
		}
	}
	if got := read(t, l, "trigger"); got != free {
		t.Errorf("a trigger was written though there was none: %q", got)
	}
}

func TestNoTriggersInTheKernel(t *testing.T) {
	if err := sysfs(t, "x", "0", "1", "").LED("x").Set(true); err != nil {
		t.Errorf("Set(true) = %v", err)
	}
}

// The file that stands in for the kernel's keeps what is written instead of marking it:
// a kernel that does not take the trigger off.
func TestATriggerThatStaysIsAnError(t *testing.T) {
	l := sysfs(t, "x", "1", "1", "none [heartbeat]").LED("x")
	if err := l.Is(true); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), "heartbeat") {
		t.Errorf("Is(true) = %v under a trigger", err)
	}
	if err := l.Set(true); err == nil {
		t.Error("Set(true) succeeded though the kernel names no trigger as gone")
	}
	if got := read(t, l, "trigger"); got != "none" {
		t.Errorf("trigger was written %q, want none", got)
	}
}

func TestWhatTheKernelSays(t *testing.T) {
	for name, c := range map[string]struct {
		brightness, top, trigger string
		on, off                  bool
	}{
		"on":            {"255\n", "255\n", free, true, false},
		"rounded":       {"252\n", "255\n", free, true, false},
		"half":          {"127\n", "255\n", free, false, false},
		"a glow":        {"1\n", "255\n", free, false, false},
		"off":           {"0\n", "255\n", free, false, true},
		"one step":      {"1\n", "1\n", free, true, false},
		"driven":        {"255\n", "255\n", "none [timer]", false, false},
		"none in force": {"255\n", "255\n", "none timer", false, false},
		"no light":      {"0\n", "0\n", free, false, false},
		"no number":     {"x\n", "255\n", free, false, false},
		"negative":      {"-1\n", "255\n", free, false, false},
		"no file":       {"", "255\n", free, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := sysfs(t, "x", c.brightness, c.top, c.trigger).LED("x")
			if on, off := l.Is(true), l.Is(false); (on == nil) != c.on || (off == nil) != c.off {
				t.Errorf("Is(true) = %v, Is(false) = %v", on, off)
			}
		})
	}
}

func TestAnLEDThatIsNotThere(t *testing.T) {
	c := sysfs(t, "x", "0", "1", free)
	if err := c.LED("y").Set(true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Set(true) = %v, want ErrNotExist", err)
	}
	if err := c.LED("y").Set(false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Set(false) = %v, want ErrNotExist", err)
	}
	if _, err := os.Stat(c.LED("y").dir); err == nil {
		t.Error("Set made a folder")
	}
}

func TestList(t *testing.T) {
	c := sysfs(t, "b", "0\n", "255\n", "none [heartbeat] timer\n")
	if err := os.Mkdir(filepath.Join(string(c), "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := c.List()
	if err != nil || len(l) != 2 || l[0].Name != "a" || !errors.Is(l[0].Err, fs.ErrNotExist) {
		t.Fatalf("List() = %+v, %v", l, err)
	}
	if want := (Info{Name: "b", Max: 255, Trigger: "heartbeat"}); l[1] != want {
		t.Errorf("List() has %+v, want %+v", l[1], want)
	}
	if got := read(t, c.LED("b"), "brightness"); got != "0\n" {
		t.Errorf("List wrote %q", got)
	}
	if l, err := Class(t.TempDir() + "/none").List(); l != nil || err != nil {
		t.Errorf("List() without a class = %v, %v", l, err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"red:live": true, "input3::misc": true, "platform-leds:green:status-1": true,
		"": false, ".": false, "..": false, "a/b": false, "../x": false, "a\nb": false,
		strings.Repeat("x", MaxName): true, strings.Repeat("x", MaxName+1): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}

func FuzzParseTrigger(f *testing.F) {
	for _, s := range []string{free, "none [timer]", "", "[]", "[", "none [a", "[a] [b]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := parseTrigger(s)
		if err == nil && (name == "" || !slices.Contains(strings.Fields(s), "["+name+"]")) {
			t.Errorf("%q is driven by %q", s, name)
		}
	})
}
