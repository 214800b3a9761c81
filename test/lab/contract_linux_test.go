package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealDevicesKeepTheContracts runs the tests that camd's made-up sources keep to
// on what a real kernel gives: vivid, the USB camera, the loopback sound card, and one
// that has a mixer and nothing but stereo.
func TestRealDevicesKeepTheContracts(t *testing.T) {
	need(t, ARM64.QEMU[0], "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++")
	g := boot(t, ARM64, namespace(t), Archive{
		"bin/capture": {0o755, read(t, testProgram(t, "./pkg/capture"))},
		"bin/alsa":    {0o755, read(t, testProgram(t, "./pkg/audio/alsa"))},
		clipPath[1:]:  {0o644, clip(t)},
	}, nil, append(usb, vivid, aloop, "snd-hda-codec-generic", hda)...)
	must(t, g.Plug(patient(t), clipPath))
	eventually(t, "both cameras are there", func() bool {
		cameras, err := g.Cameras(patient(t))
		must(t, err)
		return len(cameras) == 2
	})
	eventually(t, "both sound cards are there", func() bool {
		cards, err := g.Glob(patient(t), "/dev/snd/controlC*")
		must(t, err)
		return len(cards) == 2
	})
	for _, name := range []string{"capture", "alsa"} {
		t.Run(name, func(t *testing.T) {
			r, err := g.Run(patient(t), "/bin/"+name, "-test.v", "-test.run", "TestReal")
			must(t, err)
			if r.Exit != 0 || !strings.Contains(string(r.Stdout), "--- PASS: TestReal") {
				t.Fatalf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
			}
			for line := range strings.Lines(string(r.Stdout)) {
				if strings.Contains(line, "--- ") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// testProgram builds the tests of a package for the guest, as the release is built,
// with those that need real devices.
func testProgram(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(folder)+".test")
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-tags", "netgo,osusergo,nomicrophone,lab",
		"-ldflags", "-s -w -linkmode external -extldflags '-static'", "-o", path, folder)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+ARM64.GOARCH, "CGO_ENABLED=1",
		"CC=aarch64-linux-gnu-gcc", "CXX=aarch64-linux-gnu-g++")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", folder, err, out)
	}
	return path
}
