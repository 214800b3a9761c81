package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/publish/publishtest"
)

// TestTheFirstRelease runs what docs/operations.md tells a maker to type. Only the
// passphrases, which are asked for at a terminal, come from a file.
func TestTheFirstRelease(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	bundle := publishtest.BundleOf([]byte("[update]\ncompatible=camd-rpi4-64\nversion=0.1.0\n"))
	for path, content := range map[string][]byte{"dist/camd-rpi4_64-0.1.0.raucb": bundle, "secret": []byte("correct horse\n")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	last := ""
	for line := range strings.Lines(string(text)) {
		line, found := strings.CutPrefix(line, "    camops release ")
		if !found {
			continue
		}
		line, comment, _ := strings.Cut(line, "#")
		args := append([]string{"release"}, words(line)...)
		if args[1] == "init" || args[1] == "sign" {
			args = append(args, "--passphrase-file", "secret")
		}
		want := 0
		if strings.Contains(comment, "has to sign first") {
			want = 1
		}
		code, out, errOut := run(t, args...)
		if code != want {
			t.Fatalf("camops %s: code %d, said %q", strings.Join(args, " "), code, errOut)
		}
		last = out
	}
	if !strings.Contains(last, "to 100%") || !strings.Contains(last, "Everything that a camera can install is in the log.") {
		t.Errorf("the monitor says %q in the end", last)
	}
}

// words splits a command line at spaces, but for those within double quotes.
func words(line string) (l []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			l = append(l, part)
		} else {
			l = append(l, strings.Fields(part)...)
		}
	}
	return l
}
