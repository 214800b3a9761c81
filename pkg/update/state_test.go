package update_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/update"
)

// sum is a SHA-256 as JSON writes bytes.
const sum = `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`

const offer = `"offer":{"Version":"1.2.0","Lowest":"1.0.0","Size":9,"SHA256":` + sum + `}`

func TestParseState(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"v":1}`:                 true,
		`{"v":2,"later":{"a":1}}`: true, // what a later version added
		`{"v":1,"phase":"offered",` + offer + `}`:                                    true,
		`{"v":1,"phase":"trying","from":"rootfs.0","into":"rootfs.1",` + offer + `}`: true,

		``:                                       false,
		`{}`:                                     false,
		`{"v":1,"phase":"sleeping"}`:             false,
		`{"v":1,"phase":"offered"}`:              false,
		`{"v":1,` + offer + `}`:                  false,
		`{"v":1,"phase":"trying",` + offer + `}`: false,
		`{"v":1,"phase":"trying","from":"rootfs.0","into":"rootfs.0",` + offer + `}`:                            false,
		`{"v":1,"phase":"offered","offer":{"Version":"latest","Lowest":"1.0.0","Size":9,"SHA256":` + sum + `}}`: false,
		`{"v":1,"phase":"offered","offer":{"Version":"1.2.0","Lowest":"","Size":9,"SHA256":` + sum + `}}`:       false,
		`{"v":1,"phase":"offered","offer":{"Version":"1.2.0","Lowest":"1.0.0","Size":0,"SHA256":` + sum + `}}`:  false,
		`{"v":1,"phase":"offered","offer":{"Version":"1.2.0","Lowest":"1.0.0","Size":9,"SHA256":"AA=="}}`:       false,
		`{"v":1,"boots":-1}`: false,
	} {
		if err := update.ParseState([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"v":1,"phase":"trying","from":"rootfs.0","into":"rootfs.1",` + offer + `,"tell":[{"Kind":"failed"}],"failed":[{"version":"1.2.0"}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_ = update.ParseState(text) // it must not panic
	})
}

func TestImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	for text, want := range map[string][2]string{
		"": {},
		"NAME=camd\nIMAGE_ID=camd-rpi4-64\nIMAGE_VERSION=1.2.0\n":                                     {"camd-rpi4-64", "1.2.0"},
		"IMAGE_VERSION=\"1.2.0-rc.1\"\r\nIMAGE_ID='camd-rpi4-64'":                                     {"camd-rpi4-64", "1.2.0-rc.1"},
		"IMAGE_VERSION=\"1.2.0-rc.1\"\n#IMAGE_ID=camd\n":                                              {"", "1.2.0-rc.1"},
		"IMAGE_ID=../evil\nIMAGE_VERSION=v1.2.0\n" + strings.Repeat("x", 100_000) + "\nIMAGE_ID=late": {},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		compatible, version := update.Image(path)
		if got := [2]string{compatible, version}; got != want {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
	if c, v := update.Image(path + ".nowhere"); c != "" || v != "" {
		t.Errorf("without the file: %q, %q", c, v)
	}
}

func TestConfiguration(t *testing.T) {
	good := update.DefaultConfig()
	if good.On() {
		t.Error("it is on though it knows no server")
	}
	good.URL = "https://updates.example/camd"
	for name, c := range map[string]struct {
		change  func(*update.Config)
		version string
		want    string
	}{
		"good":       {func(*update.Config) {}, "1.0.0", ""},
		"no HTTPS":   {func(c *update.Config) { c.URL = "http://updates.example/" }, "1.0.0", "https://host/path"},
		"no address": {func(c *update.Config) { c.URL = "updates.example" }, "1.0.0", "https://host/path"},
		"no anchors": {func(c *update.Config) { c.Anchors = "" }, "1.0.0", "anchors"},
		"no image":   {func(*update.Config) {}, "", "IMAGE_VERSION"},
	} {
		cfg := good
		c.change(&cfg)
		log := slog.New(slog.DiscardHandler)
		_, err := update.New(cfg, log, health.NewBoard(log), update.Deps{State: t.TempDir(), Version: c.version})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestRestartBy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reboot")
	if err := update.RestartBy(path)(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := update.RestartBy(filepath.Join(path, "x"))(); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("where no file can be: %v", err)
	}
}
