package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An update is tried, confirmed, and then is what every start boots; and so back again.
func TestTrybootConfirmed(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	for range 2 {
		for _, slot := range []string{"B", "A"} {
			p.install(slot)
			p.restart()
			p.runs(slot)
			p.is("get-primary", slot)
			p.backend("set-state", slot, "good")
			for range 3 {
				p.start()
				p.runs(slot)
			}
			// Others' slot B was bad whatever happened to it.
			p.is("get-state A", "good")
			p.is("get-state B", "good")
		}
	}
}

// What fails is followed by the old slot, at once and for good.
func TestTrybootFailed(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.install("B")
	p.restart()
	p.runs("B")
	p.backend("set-state", "B", "bad")
	p.restart()
	p.runs("A")
	p.is("get-primary", "A")
	p.is("get-state B", "bad")
	p.is("get-state A", "good")
	p.start()
	p.runs("A")
	// Another version gets into the slot all the same.
	p.install("B")
	p.is("get-state B", "good")
	p.restart()
	p.runs("B")
}

// A version that does not get as far as camd uses its tries up, and the old one runs.
func TestTrybootPanics(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.install("B")
	p.tryboot = p.backend("next") == "0 tryboot"
	tries := 0
	for p.boot(); p.slot == "B"; tries++ {
		p.panics()
		p.runs("A") // the flag was cleared
		_ = os.Remove(p.asked)
		p.backend("start")
		if asked, err := os.ReadFile(p.asked); err == nil {
			p.tryboot = strings.Contains(string(asked), "0 tryboot")
			p.boot()
		}
	}
	if tries != 3 {
		t.Errorf("it was tried %d times, not 3", tries)
	}
	p.is("get-primary", "A")
	p.start()
	p.runs("A")
	p.restart()
	p.runs("A")
}

// A power cut costs a try, before the restart or in the middle of it, and not the update: the
// firmware alone gives one try only.
func TestTrybootPowerCut(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.install("B")
	p.start() // power was cut before anybody restarted
	p.runs("B")
	p.start() // and again, on trial
	p.runs("B")
	p.backend("set-state", "B", "good")
	p.start()
	p.runs("B")
}

// Both slots without a try, or both bad, would be a camera that boots nothing.
func TestTrybootNeverHasNothingToBoot(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.backend("set-state", "B", "bad")
	p.backend("set-state", "A", "bad")
	p.is("get-state A", "bad")
	p.is("get-state B", "bad")
	for range 5 {
		p.restart()
		p.runs("A")
	}
	p.is("get-primary", "A")
	p.backend("set-state", "A", "good")
	p.is("get-state A", "good")
	p.is("get-state B", "bad")

	// The running one alone is bad: the other one is the way out.
	p.backend("set-state", "B", "good")
	p.backend("set-state", "A", "bad")
	p.is("get-primary", "B")
	p.restart()
	p.runs("B")
}

// A trial that told nothing goes back, and is tried again later.
func TestTrybootInconclusive(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.install("B")
	p.restart()
	p.runs("B")
	p.backend("set-primary", "A")
	p.restart()
	p.runs("A")
	p.backend("set-state", "A", "good") // what runs is confirmed at each start, and changes nothing
	p.is("get-state B", "good")
	p.backend("set-primary", "B")
	p.backend("set-state", "A", "good")
	p.restart()
	p.runs("B")
	p.backend("set-state", "B", "good")
	p.start()
	p.runs("B")
}

// Somebody else has the partition mounted, as an automount does.
func TestTrybootHeldByAMount(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	held := filepath.Join(p.dir, "held")
	must(t, os.Mkdir(held, 0o755))
	must(t, os.WriteFile(filepath.Join(held, "autoboot.txt"), []byte(p.autoboot()), 0o600))
	must(t, os.WriteFile(p.mounts, []byte(p.disk+" "+held+" vfat ro 0 0\n"), 0o600))
	p.install("B")
	if _, err := os.Stat(filepath.Join(p.dir, "mounted")); err == nil {
		t.Error("it was mounted a second time")
	}
	if remounts := string(read(t, filepath.Join(p.dir, "remounts"))); !strings.HasPrefix(remounts, "-o remount,rw "+held) {
		t.Errorf("it was written as %q", remounts)
	}
	if text := string(read(t, filepath.Join(held, "autoboot.txt"))); !strings.Contains(text, "try=B left=3") {
		t.Errorf("written was\n%s", text)
	}
	// Nothing in the image mounts a slot by itself, which RAUC would then refuse to write.
	target := filepath.Join(p.dir, "target")
	pki := filepath.Join(p.dir, "pki")
	must(t, tree.PKI(t.Context(), pki))
	_, err := run(t.Context(), "env", "CAMD_PKI="+pki, tree.path("board/common/post-build.sh"), target, "rpi4_64")
	must(t, err)
	if to, err := os.Readlink(filepath.Join(target, "etc/systemd/system-generators/systemd-gpt-auto-generator")); err != nil || to != "/dev/null" {
		t.Errorf("systemd mounts what it finds: %q, %v", to, err)
	}
}

// One sector changes and nothing else, so that a power cut leaves the old one or the new one.
func TestTrybootWritesInPlace(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	held := filepath.Join(p.dir, "held")
	file := filepath.Join(held, "autoboot.txt")
	must(t, os.Mkdir(held, 0o755))
	must(t, os.WriteFile(file, []byte(p.autoboot()), 0o600))
	must(t, os.WriteFile(p.mounts, []byte(p.disk+" "+held+" vfat rw 0 0\n"), 0o600))
	must(t, os.Link(file, file+".same")) // a new file in its place would not be this one
	for _, args := range [][]string{{"set-state", "B", "bad"}, {"set-primary", "B"}, {"set-state", "A", "bad"}, {"set-state", "A", "good"}, {"next"}} {
		p.backend(args...)
		if text := read(t, file+".same"); len(text) != 512 || string(text) != string(read(t, file)) {
			t.Errorf("after %v: %d bytes", args, len(text))
		}
	}
}

// A file that makes no sense is taken for one that boots what runs.
func TestTrybootDamaged(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "rubbish": strings.Repeat("\xff", 512), "no partition": "[all]\ntryboot_a_b=1\n[tryboot]\nboot_partition=3\n",
		"another partition": "# camd: try=A left=9 bad=\n[all]\nboot_partition=7\n[tryboot]\nboot_partition=3\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPi(t)
			p.put(text)
			p.slot = "B"
			p.is("get-state A", "good")
			p.is("get-primary", "B")
			p.backend("set-state", "A", "bad")
			p.boot()
			p.runs("B")
		})
	}
}

// What can't be read or written is said in a sentence, and starts nothing.
func TestTrybootRefuses(t *testing.T) {
	t.Parallel()
	p := newPi(t)
	p.install("B")
	must(t, os.WriteFile(filepath.Join(p.dir, "readonly"), nil, 0o600))
	if out, err := p.try("next"); err == nil || !strings.Contains(out, "does not keep what was written") || strings.Contains(out, "0 tryboot") {
		t.Errorf("a try that is not spent: %q, %v", out, err)
	}
	must(t, os.Remove(filepath.Join(p.dir, "readonly")))
	must(t, os.WriteFile(filepath.Join(p.dir, "broken"), nil, 0o600))
	if out, err := p.try("get-primary"); err == nil || !strings.Contains(out, "can't be mounted") {
		t.Errorf("a partition that can't be mounted: %q, %v", out, err)
	}
	must(t, os.Remove(filepath.Join(p.dir, "broken")))
	for _, args := range [][]string{nil, {"boot"}, {"set-state", "C", "good"}, {"set-state", "A", "fine"}, {"get-state", "A B"}} {
		if out, err := p.try(args...); err == nil {
			t.Errorf("%v gives %q", args, out)
		}
	}
	p.is("get-primary", "B")
}
