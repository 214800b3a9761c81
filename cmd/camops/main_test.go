package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a command line and returns what it printed.
func run(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.clips")
	broken := filepath.Join(dir, "broken.clips")
	if err := os.WriteFile(broken, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string // in what is said
	}{
		"version":          {[]string{"version"}, 0, "camops unknown"},
		"help":             {[]string{"prompts", "--help"}, 0, "--names"},
		"nothing":          {nil, 2, "expected one of prompts, label, pki, release"},
		"neither":          {[]string{"prompts"}, 2, "either --out or --list"},
		"both":             {[]string{"prompts", "--out", path, "--list", path}, 2, "either --out or --list"},
		"names and folder": {[]string{"prompts", "--out", path, "--from", dir, "--names", path}, 2, "record name/anna.wav"},
		"no archive":       {[]string{"prompts", "--list", path}, 1, "no such file"},
		"broken archive":   {[]string{"prompts", "--list", broken}, 1, "not an archive"},
		"no names":         {[]string{"prompts", "--out", path, "--names", path}, 1, "open list of names"},
		"no recordings":    {[]string{"prompts", "--out", path, "--from", dir}, 1, "no recording"},
		"no place":         {[]string{"prompts", "--out", broken, "--from", dir}, 1, "is there already and is no archive"},
		"a device":         {[]string{"prompts", "--out", os.DevNull, "--from", dir}, 1, "is there already and is no archive"},
		"no folder":        {[]string{"prompts", "--out", path, "--from", path}, 1, "no such file"},
	} {
		code, out, errOut := run(t, tt.args...)
		if code != tt.code || !strings.Contains(out+errOut, tt.want) || strings.Count(errOut, "\n") > 1 {
			t.Errorf("%s: code %d, said %q, want %d and %q", name, code, out+errOut, tt.code, tt.want)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused command wrote a file")
	}
}

func TestListDefault(t *testing.T) {
	code, out, errOut := run(t, "prompts", "--list", "../../pkg/audio/prompt/default.clips")
	if code != 0 || errOut != "" || !strings.Contains(out, "\nphrase/is-speaking ") {
		t.Errorf("code %d, %q, %q", code, out, errOut)
	}
}

func TestEspeakIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, _, errOut := run(t, "prompts", "--out", filepath.Join(t.TempDir(), "x"))
	if code != 1 || !strings.Contains(errOut, "apt-get install espeak-ng") {
		t.Errorf("code %d, said %q", code, errOut)
	}
}

// writeFile writes a file of a test.
func writeFile(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
