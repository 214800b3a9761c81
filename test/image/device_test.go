package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/update/release"
)

// piSlot makes the images of a Raspberry Pi's slot.
func piSlot(t *testing.T) (dir string) {
	t.Helper()
	need(t, "mksquashfs", "veritysetup", "mkfs.vfat", "mcopy", "mmd", "mtype")
	dir = t.TempDir()
	files := filepath.Join(dir, "files")
	must(t, os.MkdirAll(filepath.Join(files, "overlays"), 0o755))
	for _, name := range []string{"Image", "config.txt", "start4.elf", "overlays/b.dtbo", "overlays/a.dtbo"} {
		must(t, os.WriteFile(filepath.Join(files, name), []byte(name), 0o600))
	}
	_, err := run(t.Context(), "mksquashfs", files, dir+"/squashfs", "-quiet", "-no-progress", "-all-root", "-mkfs-time", "0", "-all-time", "0")
	must(t, err)
	_, err = run(t.Context(), tree.path("board/raspberrypi/slot.sh"), dir+"/out", dir+"/squashfs", "console=ttyAMA0",
		files+"/Image", files+"/config.txt", files+"/start4.elf", files+"/overlays")
	must(t, err)
	return dir + "/out"
}

// Both slots' arguments name their own partition and the root hash of the one root file
// system; the same files give the same bytes.
func TestPiSlot(t *testing.T) {
	t.Parallel()
	first, second := piSlot(t), piSlot(t)
	for _, name := range []string{"kernel.img", "rootfs.img"} {
		if !bytes.Equal(read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))) {
			t.Errorf("%s differs from run to run", name)
		}
	}
	var hash string
	for slot, part := range map[string]string{"a": "05", "b": "06"} {
		text, err := run(t.Context(), "mtype", "-i", first+"/kernel.img", "::cmdline-"+slot+".txt")
		must(t, err)
		device := "PARTUUID=63616d64-" + part
		m := regexp.MustCompile(`^console=ttyAMA0 root=/dev/dm-0 .* dm-mod\.waitfor=` + device + ` dm-mod\.create="root,,,ro,0 \d+ verity 1 ` + device + ` ` + device +
			` 4096 4096 (\d+) (\d+) sha256 ([0-9a-f]{64}) ([0-9a-f]{64})" rauc\.slot=` + strings.ToUpper(slot) + ` `).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("slot %s boots with %s", slot, text)
		}
		if hash != "" && hash != m[3] {
			t.Error("the slots have two root hashes")
		}
		hash = m[3]
		blocks, err := strconv.Atoi(m[2])
		must(t, err)
		_, err = run(t.Context(), "veritysetup", "verify", first+"/rootfs.img", first+"/rootfs.img", hash, "--no-superblock", "--hash=sha256", "--salt="+m[4],
			"--data-block-size=4096", "--hash-block-size=4096", "--data-blocks="+m[1], "--hash-offset="+strconv.Itoa(blocks*4096))
		must(t, err)
	}
}

// script runs one of the image's scripts with programs that only tell what they were asked.
func script(t *testing.T, name string, programs map[string]string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	for program, text := range programs {
		must(t, os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"+strings.ReplaceAll(text, "$DIR", dir)+"\n"), 0o755))
	}
	path, err := filepath.Abs(tree.path("board/common/rootfs-overlay/usr/libexec/camd/" + name))
	must(t, err)
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH")), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	told, _ := os.ReadFile(filepath.Join(dir, "told")) // nothing is no file
	return string(told)
}

// Only a version on trial whose camd does not run is given up.
func TestGuard(t *testing.T) {
	t.Parallel()
	const active, dead = "exit 0", "exit 3"
	about := func(phase, version string) string { // as camd keeps it
		offer, err := json.Marshal(release.Offer{Version: version, Minimum: "1.2.0", Lowest: "1.2.0"})
		must(t, err)
		return fmt.Sprintf(`{"v":1,"phase":%q,"offer":%s}`, phase, offer)
	}
	for name, c := range map[string]struct {
		state, camd string
		want        bool
	}{
		"on trial, dead":       {`{"v":1,"phase":"trying"}`, dead, true},
		"restarted into, dead": {`{"v":1,"phase":"restarting"}`, dead, true},
		"has failed, dead":     {`{"v":1, "phase": "returning"}`, dead, true},
		"on trial, runs":       {`{"v":1,"phase":"trying"}`, active, false},
		"confirmed, dead":      {`{"v":1}`, dead, false},
		"only offered, dead":   {about("offered", "1.3.0"), dead, false},
		"installed, dead":      {about("installed", "1.3.0"), dead, false},
		"power went, dead":     {about("installed", "1.2.0"), dead, true},
		"power went, runs":     {about("installed", "1.2.0"), active, false},
		"undecided, dead":      {about("undecided", "1.2.0"), dead, true},
		"no update ever, dead": {"", dead, false},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			must(t, os.WriteFile(state+"/os-release", []byte("IMAGE_ID=camd-test\nIMAGE_VERSION=\"1.2.0\"\n"), 0o600))
			if c.state != "" {
				must(t, os.Mkdir(state+"/update", 0o755))
				must(t, os.WriteFile(state+"/update/state.json", []byte(c.state), 0o600))
			}
			told := script(t, "guard", map[string]string{"systemctl": c.camd, "restart": "echo restart >$DIR/told"}, "CAMD_STATE="+state, "CAMD_RELEASE="+state+"/os-release", "CAMD_REBOOT=restart")
			if (told != "") != c.want {
				t.Errorf("it restarts: %v, want %v", told != "", c.want)
			}
		})
	}
}

// A board whose firmware has to be told is asked what to tell; what it can't say stops nothing.
func TestReboot(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{"": "reboot", `echo "0 tryboot"`: "reboot --reboot-argument=0 tryboot", "true": "reboot", "echo 0; exit 1": "reboot"} {
		dir := t.TempDir()
		env := "CAMD_BOOT_NEXT=" + dir + "/boot-next"
		if next != "" {
			must(t, os.WriteFile(dir+"/boot-next", []byte("#!/bin/sh\n"+next+"\n"), 0o755))
		}
		if told := script(t, "reboot", map[string]string{"systemctl": `echo "$*" >$DIR/told`}, env); strings.TrimSpace(told) != want {
			t.Errorf("with %q: systemctl %q, want %q", next, told, want)
		}
	}
}
