package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestWhatIsWrongIsSaid(t *testing.T) {
	song := filepath.Join(t.TempDir(), "song.mp3")
	if err := os.WriteFile(song, []byte("ID3 and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		code   int
		errOut string
	}{
		{[]string{"--address", "0.0.0.0:8088"}, 2, `must be a loopback address`},
		{[]string{"--synthetic", "--address", "127.0.0.1:0", "--camd", song}, 1,
			`(?m)^camdemo: .*song.mp3 can.t be run as camd: permission denied; name another with --camd`},
		{[]string{"--camd", "nothing", "--address", "127.0.0.1:0"}, 1, `there is no camd at .*nothing; build it with make build`},
		{[]string{"watch"}, 2, `^camdemo: .*watch.*; see camdemo --help\n$`},
	} {
		var out, errOut bytes.Buffer
		if code := execute(t.Context(), c.args, &out, &errOut); code != c.code || !regexp.MustCompile(c.errOut).Match(errOut.Bytes()) {
			t.Errorf("camdemo %q: exit code %d, and %q; want %d and %q", c.args, code, &errOut, c.code, c.errOut)
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := execute(t.Context(), []string{"--help"}, &out, &errOut); code != 0 || !bytes.Contains(out.Bytes(), []byte("the owner's page")) {
		t.Errorf("exit code %d, and %q", code, &out)
	}
}
