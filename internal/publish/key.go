package publish

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"golang.org/x/mod/sumdb/note"

	"github.com/camd-project/camd/pkg/store"
)

// Passphrase is asked for the passphrase of a key, by its name. It is asked twice for a
// new one if again is set. Nil leaves a new key in clear.
type Passphrase func(name string, again bool) ([]byte, error)

// ErrPassphrase is the error for a key that a passphrase does not open.
var ErrPassphrase = errors.New("the passphrase is wrong, or the key's file is damaged")

// keyFile is a key in a file of its own, mode 0600: online keys in clear, offline keys
// encrypted with a passphrase (scrypt and NaCl's secretbox, as other TUF tools do it).
type keyFile struct {
	Name      string          `json:"name"`
	Public    []byte          `json:"public"`
	Seed      []byte          `json:"seed,omitempty"`
	Encrypted json.RawMessage `json:"encrypted,omitempty"`
}

// key is one that can sign.
type key struct {
	name    string
	private ed25519.PrivateKey
}

func newKey(name string) (key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("make a key: %w", err)
	}
	return key{name, private}, nil
}

func (k key) public() ed25519.PublicKey { return ed25519.PublicKey(k.private[ed25519.SeedSize:]) }

// tuf returns the public key as TUF metadata hold it.
func (k key) tuf() (*metadata.Key, error) { return metadata.KeyFromPublicKey(k.public()) }

// keyID returns what TUF metadata call a public key.
func keyID(public ed25519.PublicKey) (string, error) {
	k, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("name a key: %w", err)
	}
	id, err := k.ID()
	if err != nil {
		return "", fmt.Errorf("name a key: %w", err)
	}
	return id, nil
}

// signer signs TUF metadata.
func (k key) signer() (signature.Signer, error) { return signature.LoadED25519Signer(k.private) }

// write writes the key's file, encrypted if there is a passphrase.
func (k key) write(path string, passphrase []byte) error {
	f := keyFile{Name: k.name, Public: k.public(), Seed: k.private.Seed()}
	if passphrase != nil {
		sealed, err := encrypted.Encrypt(f.Seed, passphrase)
		if err != nil {
			return fmt.Errorf("encrypt the key: %w", err)
		}
		f.Seed, f.Encrypted = nil, sealed
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	return store.WriteFile(path, append(text, '\n'))
}

// readKey reads a key's file, and asks for its passphrase if it needs one.
func readKey(path string, ask Passphrase) (key, error) {
	f, err := readKeyFile(path)
	if err != nil {
		return key{}, err
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return key{}, fmt.Errorf("%s is open to other users: run chmod go-rwx %[1]s", path)
	}
	if f.Encrypted != nil {
		passphrase, err := ask(f.Name, false)
		if err != nil {
			return key{}, err
		}
		if f.Seed, err = encrypted.Decrypt(f.Encrypted, passphrase); err != nil {
			return key{}, fmt.Errorf("%s: %w", filepath.Base(path), ErrPassphrase)
		}
	}
	if len(f.Seed) != ed25519.SeedSize {
		return key{}, fmt.Errorf("%s is no key of camops release", path)
	}
	k := key{f.Name, ed25519.NewKeyFromSeed(f.Seed)}
	if !k.public().Equal(ed25519.PublicKey(f.Public)) {
		return key{}, fmt.Errorf("%s names another public key than its own", path)
	}
	return k, nil
}

func readKeyFile(path string) (keyFile, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return keyFile{}, err
	}
	var f keyFile
	if err := json.Unmarshal(text, &f); err != nil || f.Name == "" || len(f.Public) != ed25519.PublicKeySize {
		return keyFile{}, fmt.Errorf("%s is no key of camops release", path)
	}
	return f, nil
}

// noteKeys returns the key as signed notes know it (C2SP signed-note), under a name.
func (k key) noteKeys(name string) (skey, vkey string, err error) {
	if vkey, err = note.NewEd25519VerifierKey(name, k.public()); err == nil {
		_, err = note.NewVerifier(vkey) // it looks at the name
	}
	if err != nil {
		return "", "", fmt.Errorf("%q can't name a log or a witness: it must have no space and no plus", name)
	}
	hash := strings.Split(vkey, "+")[1]
	seed := append([]byte{1}, k.private.Seed()...) // 1 is Ed25519
	return "PRIVATE+KEY+" + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(seed), vkey, nil
}
