package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
)

// relay names the socket that this program joins to its standard input and output, as a
// child of openssl.
const relay = "CAMD_TPM_RELAY"

func TestMain(m *testing.M) {
	path := os.Getenv(relay)
	if path == "" {
		os.Exit(m.Run())
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		os.Exit(1)
	}
	go func() { _, _ = io.Copy(os.Stdout, c) }()
	_, _ = io.Copy(c, os.Stdin)
	_ = c.Close()
}

// The key's file is what others know as a TSS2 key file: openssl signs with it.
func TestOpenSSLSigns(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/*/ossl-modules/tpm2.so"); len(found) == 0 {
		t.Skip("openssl has no provider for a TPM (Debian packages openssl, tpm2-openssl and libtss2-tcti-cmd0)")
	}
	chip := tpmtest.New(t)
	k, text := create(t, chip)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "pkeyutl", "-sign", "-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2", "-inkey", "key")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(digest[:])
	cmd.Env = append(os.Environ(), relay+"="+chip.Path, "TPM2OPENSSL_TCTI=cmd:"+self)
	var said bytes.Buffer
	cmd.Stderr = &said
	der, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, &said)
	}
	if key, ok := k.Public().(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(key, digest[:], der) {
		t.Errorf("openssl signs with another key: %x", der)
	}
}
