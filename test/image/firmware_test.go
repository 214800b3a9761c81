package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pi plays a Raspberry Pi: the part of its firmware that chooses a partition, by what
// Raspberry Pi's documentation says of autoboot.txt, on an image of its first partition. No
// silicon was asked.
type pi struct {
	t       *testing.T
	dir     string
	disk    string // image of the FAT that autoboot.txt lies on
	tryboot bool   // the firmware's flag, in a register that outlives a restart
	slot    string // that runs, or empty
	mounts  string // what stands for /proc/mounts
	asked   string // file of what reboot was told
}

// The FAT is mounted by copying it out, and unmounted by copying it back. Fake programs go
// before the machine's own.
var piPrograms = map[string]string{
	"mount": `
case "$1 $2" in
	"-o remount,rw") echo "$@" >>$DIR/remounts; exit 0;;
	"-t vfat") ;;
	*) exec /bin/mount "$@";; # RAUC's
esac
[ ! -e $DIR/broken ] || { echo "mount: I/O error" >&2; exit 32; }
mkdir $DIR/mounted || exit 32
echo "$4" >$DIR/mounted/options
mcopy -n -i "$5" ::autoboot.txt "$6/" 2>/dev/null || true`,
	"umount": `
case "$1" in $DIR/run/select.*) ;; *) exec /bin/umount "$@";; esac
case "$(cat $DIR/mounted/options)" in rw,*)
	[ ! -e $DIR/readonly ] && mcopy -o -i $DIR/disk "$1/autoboot.txt" ::autoboot.txt;;
esac
rm -rf $DIR/mounted; rm -f "$1/autoboot.txt"`,
	"systemctl": `echo "$@" >$DIR/asked`,
}

func newPi(t *testing.T) *pi {
	t.Helper()
	need(t, "mkfs.vfat", "mcopy", "mtype", "flock")
	dir := t.TempDir()
	p := &pi{t: t, dir: dir, disk: filepath.Join(dir, "disk"), mounts: filepath.Join(dir, "mounts"), asked: filepath.Join(dir, "asked")}
	must(t, os.WriteFile(p.disk, make([]byte, 1<<20), 0o600))
	_, err := run(t.Context(), "mkfs.vfat", p.disk)
	must(t, err)
	text := read(t, tree.path("board/raspberrypi/autoboot.txt"))
	p.put(string(text) + strings.Repeat("\n", 512-len(text))) // as post-image.sh pads it
	must(t, os.WriteFile(p.mounts, nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "run"), 0o755))
	for name, text := range piPrograms {
		text = "#!/bin/sh\nset -e\n" + strings.ReplaceAll(text, "$DIR", dir) + "\n"
		must(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte(text), 0o755))
	}
	p.boot()
	return p
}

func (p *pi) put(text string) {
	p.t.Helper()
	name := filepath.Join(p.dir, "autoboot.txt")
	must(p.t, os.WriteFile(name, []byte(text), 0o600))
	_, err := run(p.t.Context(), "mcopy", "-o", "-i", p.disk, name, "::autoboot.txt")
	must(p.t, err)
}

func (p *pi) autoboot() string {
	p.t.Helper()
	out, err := run(p.t.Context(), "mtype", "-i", p.disk, "::autoboot.txt")
	must(p.t, err)
	return out
}

// boot chooses a partition as the firmware does: filters hold until the next one, the last
// value that holds counts, and the flag is cleared before anything is loaded.
func (p *pi) boot() {
	p.t.Helper()
	text := p.autoboot()
	if len(text) > 512 {
		p.t.Fatalf("the firmware reads 512 bytes of autoboot.txt, and it has %d", len(text))
	}
	try := p.tryboot
	p.tryboot = false
	partition, holds := "", true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch value, is := strings.CutPrefix(line, "boot_partition="); {
		case line == "[all]":
			holds = true
		case line == "[tryboot]":
			holds = try
		case is && holds:
			partition = value
		}
	}
	p.slot = map[string]string{"2": "A", "3": "B"}[partition]
	if p.slot == "" {
		p.t.Fatalf("the firmware finds nothing to boot in\n%s", text)
	}
}

// start boots, runs what runs before camd, and boots again while that asks for it.
func (p *pi) start() {
	p.t.Helper()
	for range 10 {
		p.boot()
		_ = os.Remove(p.asked)
		p.backend("start")
		asked, err := os.ReadFile(p.asked)
		if err != nil {
			return // it goes on
		}
		p.tryboot = strings.TrimSpace(string(asked)) == "reboot --force --reboot-argument=0 tryboot"
	}
	p.t.Fatal("it restarts for ever")
}

// panics is what a kernel that does not get as far as its first program does.
func (p *pi) panics() { p.boot() }

// restart is camd-reboot.service.
func (p *pi) restart() {
	p.t.Helper()
	p.tryboot = p.backend("next") == "0 tryboot"
	p.start()
}

// env is what the backend's programs and places are found by.
func (p *pi) env() []string {
	return append(os.Environ(), "PATH="+filepath.Join(p.dir, "bin")+":"+os.Getenv("PATH")+":/usr/sbin:/sbin",
		"CAMD_SELECT="+p.disk, "CAMD_CMDLINE="+filepath.Join(p.dir, "cmdline"), "CAMD_MOUNTS="+p.mounts, "CAMD_RUN="+filepath.Join(p.dir, "run"))
}

func (p *pi) try(args ...string) (string, error) {
	must(p.t, os.WriteFile(filepath.Join(p.dir, "cmdline"), []byte("console=ttyAMA0 rauc.slot="+p.slot+" quiet\n"), 0o600))
	cmd := exec.CommandContext(p.t.Context(), tree.path("board/raspberrypi/rootfs-overlay/usr/libexec/camd/rauc-backend"), args...)
	cmd.Env = p.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("rauc-backend %v: %w: %s", args, err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func (p *pi) backend(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	must(p.t, err)
	return out
}

// install is what RAUC asks of its backend while it writes a slot.
func (p *pi) install(slot string) {
	p.t.Helper()
	p.is("get-current", map[string]string{"A": "B", "B": "A"}[slot])
	p.backend("set-state", slot, "bad")
	p.backend("set-primary", slot)
	p.is("get-primary", slot)
}

func (p *pi) is(question, want string) {
	p.t.Helper()
	if got := p.backend(strings.Fields(question)...); got != want {
		p.t.Fatalf("%s gives %q, not %q\n%s", question, got, want, strings.TrimRight(p.autoboot(), "\n"))
	}
}

func (p *pi) runs(slot string) {
	p.t.Helper()
	if p.slot != slot {
		p.t.Fatalf("slot %s runs, not %s\n%s", p.slot, slot, strings.TrimRight(p.autoboot(), "\n"))
	}
}
