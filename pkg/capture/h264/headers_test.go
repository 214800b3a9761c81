package h264

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A header of another version than the archive's would let structures differ silently.
func TestHeadersAreTheArchives(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pion/mediadevices").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(strings.TrimSpace(string(out)), "pkg/codec/openh264/include/openh264")
	for _, name := range []string{"codec_api.h", "codec_app_def.h", "codec_def.h"} {
		want, err := os.ReadFile(filepath.Join(theirs, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("openh264", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not the one in mediadevices (%v): copy it", name, err)
		}
	}
}
