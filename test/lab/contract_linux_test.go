package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealDevicesKeepTheContracts runs the tests that camd's made-up sources keep to
// on what a real kernel gives: vivid by the single-planar and by the multi-planar API,
// the USB camera, the loopback sound card, and one that has a mixer and nothing but
// stereo. 32-bit programs run on the 64-bit kernel.
func TestRealDevicesKeepTheContracts(t *testing.T) {
	for _, a := range []Arch{ARM64, ARMv7} {
		need(t, ARM64.QEMU[0], a.Compiler+"-gcc", a.Compiler+"-g++")
	}
	g := boot(t, ARM64, namespace(t), Archive{
		"bin/capture":    {0o755, read(t, testProgram(t, ARM64, "./pkg/capture"))},
		"bin/capture-32": {0o755, read(t, testProgram(t, ARMv7, "./pkg/capture"))},
		"bin/alsa":       {0o755, read(t, testProgram(t, ARM64, "./pkg/audio/alsa"))},
		"bin/alsa-32":    {0o755, read(t, testProgram(t, ARMv7, "./pkg/audio/alsa"))},
		clipPath[1:]:     {0o644, clip(t)},
	}, nil, append(usb, vividBoth, aloop, "snd-hda-codec-generic", hda)...)
	must(t, g.Plug(patient(t), clipPath))
	eventually(t, "all cameras are there", func() bool {
		cameras, err := g.Cameras(patient(t))
		must(t, err)
		return len(cameras) == 3
	})
	eventually(t, "both sound cards are there", func() bool {
		cards, err := g.Glob(patient(t), "/dev/snd/controlC*")
		must(t, err)
		return len(cards) == 2
	})
	for _, name := range []string{"capture", "capture-32", "alsa", "alsa-32"} {
		t.Run(name, func(t *testing.T) { keepsContract(t, g, name, "TestReal") })
	}
}

// keepsContract runs such a test program of the guest.
func keepsContract(t *testing.T, g *Guest, name, tests string) {
	t.Helper()
	r, err := g.Run(patient(t), "/bin/"+name, "-test.v", "-test.run", tests)
	must(t, err)
	if r.Exit != 0 || !strings.Contains(string(r.Stdout), "--- PASS: "+tests) {
		t.Fatalf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	for line := range strings.Lines(string(r.Stdout)) {
		if strings.Contains(line, "--- ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// testProgram builds the tests of a package for the guest, as the release is built,
// with those that need real devices.
func testProgram(t *testing.T, a Arch, folder string) string {
	t.Helper()
	return withC(t, a, folder, "test", "-c", "-tags", "netgo,osusergo,nomicrophone,lab")
}

// withC builds a folder with the C that it needs, for a guest that has no libraries.
func withC(t *testing.T, a Arch, folder string, how ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.Command("go", append(how, "-trimpath", "-ldflags", "-s -w -linkmode external -extldflags '-static'", "-o", path, folder)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+a.GOARCH, "GOARM=7", "CGO_ENABLED=1",
		"CC="+a.Compiler+"-gcc", "CXX="+a.Compiler+"-g++")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", folder, err, out)
	}
	return path
}
