package claim

import (
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

func equal(a, b crypto.PrivateKey) bool {
	k, ok := a.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && k.Equal(b)
}

// What an operator puts there is for the identity key; what camd keeps has its own.
func TestFile(t *testing.T) {
	identity, root := newKey(t), claimtest.NewAuthority(t, "root", nil)
	f := File{Path: filepath.Join(t.TempDir(), "operational.crt"), Identity: identity}
	if _, err := f.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	put := func(text []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(f.Path, text, mode), os.Chmod(f.Path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	own := root.Sign(t, good(), identity)
	put(append([]byte("a line before it\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})...), 0o644)
	got, err := f.Load()
	if err != nil || !equal(got.PrivateKey, identity) || len(got.Certificate) != 1 {
		t.Fatalf("the operator's: %v", err)
	}
	next := root.Sign(t, good(), nil)
	next.Certificate = append(next.Certificate, root.Certificate.Raw)
	if err := errors.Join(f.Writable(), f.Keep(next)); err != nil {
		t.Fatal(err)
	}
	got, err = f.Load()
	if err != nil || !equal(got.PrivateKey, next.PrivateKey) || len(got.Certificate) != 2 || string(got.Certificate[0]) != string(next.Certificate[0]) {
		t.Fatalf("camd's own: %v", err)
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the key has mode %v, %v", info.Mode(), err)
	}
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"open to others", func() { _ = os.Chmod(f.Path, 0o640) }, "open to other users (mode 0640)"},
		{"empty", func() { put(nil, 0o600) }, "holds no PEM certificate"},
		{"a broken key", func() { put(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), 0o600) }, "holds a key that can't be read"},
		{"too large", func() { put(make([]byte, maxFile+1), 0o600) }, "can't be a certificate"},
		{"a folder", func() { _ = os.Remove(f.Path); _ = os.Mkdir(f.Path, 0o700) }, "can't be a certificate"},
	} {
		c.change()
		if _, err := f.Load(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestAFileThatCantBeWritten(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "not", "there.crt")}
	if err := f.Writable(); !errors.Is(err, ErrFixed) {
		t.Errorf("Writable() = %v", err)
	}
	if err := f.Keep(tls.Certificate{PrivateKey: newKey(t)}); err == nil {
		t.Error("it was kept")
	}
	if os.Geteuid() == 0 {
		return // root may write everywhere
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	f.Path = filepath.Join(dir, "operational.crt")
	if err := errors.Join(f.Writable()); !errors.Is(err, ErrFixed) {
		t.Errorf("Writable() = %v", err)
	}
	if err := f.Keep(tls.Certificate{PrivateKey: newKey(t)}); !errors.Is(err, ErrFixed) {
		t.Errorf("Keep() = %v", err)
	}
}
