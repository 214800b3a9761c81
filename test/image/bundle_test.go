package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bundle is a verity bundle with an install-check, and only its own authority vouches
// for it.
func TestBundle(t *testing.T) {
	t.Parallel()
	need(t, "rauc", "openssl")
	dir := slot(t, Slot{})
	pki, other := filepath.Join(dir, "pki"), filepath.Join(dir, "other")
	must(t, tree.PKI(t.Context(), pki))
	must(t, tree.PKI(t.Context(), other))
	bundle := filepath.Join(dir, "out.raucb")
	must(t, tree.Bundle(t.Context(), bundle, "camd-test", "1.2.3", dir, pki))

	info, err := run(t.Context(), "rauc", "info", "--keyring="+pki+"/ca.cert.pem", bundle)
	must(t, err)
	for _, want := range []string{"'camd-test'", "'1.2.3'", "Bundle Format: \tverity", "'install-check'"} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
	if _, err := run(t.Context(), "rauc", "info", "--keyring="+other+"/ca.cert.pem", bundle); err == nil {
		t.Error("a bundle of another authority is taken")
	}
}

// Keys that are there are kept, and half of them are not completed by others.
func TestPKIKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	dir := t.TempDir()
	must(t, tree.PKI(t.Context(), dir))
	key := read(t, filepath.Join(dir, "signer.key.pem"))
	must(t, tree.PKI(t.Context(), dir))
	if string(read(t, filepath.Join(dir, "signer.key.pem"))) != string(key) {
		t.Error("the signer's key was replaced")
	}
	for _, f := range []string{"ca.key.pem", "signer.key.pem"} {
		s, err := os.Stat(filepath.Join(dir, f))
		must(t, err)
		if s.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", f, s.Mode())
		}
	}
	must(t, os.Remove(filepath.Join(dir, "signer.cert.pem")))
	if err := tree.PKI(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not all that belongs to it") {
		t.Errorf("half a PKI: %v", err)
	}
}
