package lab

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"
)

// traces are bytes of a disk that say something, by what they say.
type traces map[string][]byte

// TestResetLeavesNoTrace: T14. After an eviction or a reset at the device the disk
// holds neither the old household's keys nor what they protected; its members are
// refused, and new owners can pair.
func TestResetLeavesNoTrace(t *testing.T) {
	t.Parallel()
	d := disk(t)
	h := settle(t, ARM64, []Disk{d}, silent)
	h.pair()
	identity, _ := h.key("identity/identity.key")
	keys, numbers := h.keys(1)
	rows := h.rows()
	h.expect(d, "before the eviction", true, keys, rows)
	h.run("/bin/camd", "evict", "--config", configPath, "--yes")
	t.Logf("evicted: %s", h.condition("auth", "degraded"))
	h.forgotten()
	h.expect(d, "after the eviction", false, keys, numbers, rows)

	const planted = "Bela, who must be forgotten"
	bela := h.pairAs(planted, "/root/bela")
	secrets := traces{"the sealing key": h.file("store/seal.key"), "the key of what was set up": h.file("store/setup.key"), "her name": []byte(planted), "her key's name": []byte(bela)}
	keys, numbers = h.keys(2)
	rows = h.rows()
	h.expect(d, "before the reset", true, keys, rows, secrets)
	h.run("/bin/camd", "reset", "--config", configPath, "--yes")
	t.Logf("reset: %s", h.condition("auth", "degraded"))
	h.forgotten()
	h.pairAs("Cleo", "/root/cleo")
	h.expect(d, "after the reset", false, keys, numbers, rows, secrets)
	h.stop()
	must(t, h.Unmount(patient(t), statePath))
	must(t, h.PowerOff(patient(t)))
	look(t, d, "when the device is off", false, keys, numbers, rows, secrets)
	look(t, d, "when the device is off", true, identity)
}

// forgotten checks that Anna far away gets nothing any more.
func (h *household) forgotten() {
	h.t.Helper()
	out, problems, err := h.try("status")
	if err == nil {
		h.t.Errorf("Anna is answered: %s", out)
	}
	h.t.Logf("Anna is told: %s", bytes.TrimSpace(problems))
}

// file reads a file below camd's state folder.
func (h *household) file(name string) []byte {
	h.t.Helper()
	b, err := h.Get(patient(h.t), path.Join(statePath, name))
	must(h.t, err)
	return b
}

// keys are the traces of an epoch's private keys: as their files hold them, and as
// numbers, which should never be on the disk.
func (h *household) keys(epoch int) (written, numbers traces) {
	h.t.Helper()
	written, numbers = traces{}, traces{}
	for _, name := range []string{"sig", "enc", "log"} {
		file := fmt.Sprintf("household/%d/%s.key", epoch, name)
		var lines traces
		lines, numbers[file+"'s number"] = h.key(file)
		maps.Copy(written, lines)
	}
	return written, numbers
}

// key is the traces of a private key's file, and its number.
func (h *household) key(file string) (lines traces, number []byte) {
	h.t.Helper()
	text := h.file(file)
	block, _ := pem.Decode(text)
	if block == nil {
		h.t.Fatalf("%s holds no PEM: %q", file, text)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(h.t, err)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		number, err = k.Bytes()
		must(h.t, err)
	case ed25519.PrivateKey:
		number = k.Seed()
	default:
		h.t.Fatalf("%s holds a %T", file, key)
	}
	lines = traces{}
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case len(line) < 32 || strings.HasPrefix(line, "-"):
		case i == 1: // every file's first line begins the same
			lines[file] = []byte(line[len(line)/2:])
		default:
			lines[fmt.Sprintf("%s, line %d", file, i)] = []byte(line)
		}
	}
	return lines, number
}

// rows are the traces of what the store keeps sealed: all of trust.db that looks like
// noise.
func (h *household) rows() traces {
	h.t.Helper()
	const size, different = 32, 26
	all := traces{}
	db := h.file("store/trust.db")
	for at := 0; at+size <= len(db); at += size {
		kinds := map[byte]bool{}
		for _, b := range db[at : at+size] {
			kinds[b] = true
		}
		if len(kinds) >= different {
			all[fmt.Sprintf("trust.db from %d", at)] = db[at : at+size]
		}
	}
	if len(all) < 10 {
		h.t.Fatalf("%d pieces of trust.db look sealed: there is nothing to look for", len(all))
	}
	return all
}

// expect looks at the disk of a guest that runs.
func (h *household) expect(d Disk, when string, there bool, which ...traces) {
	h.t.Helper()
	must(h.t, h.Sync(patient(h.t)))
	look(h.t, d, when, there, which...)
}

// look looks for traces in the whole of a disk, free space and journal included.
func look(t *testing.T, d Disk, when string, there bool, which ...traces) {
	t.Helper()
	image := read(t, d.Path)
	for _, some := range which {
		for name, trace := range some {
			if bytes.Contains(image, trace) != there {
				t.Errorf("%s the disk holds %s: %v, want %v", when, name, !there, there)
			}
		}
	}
}
