package auth

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
)

// nonces holds the two live nonces. A client that has one has heard this device within the
// last two rotations. They are never stored, so none survives a restart. It is safe for
// concurrent use. docs/protocol.md 5.3.
type nonces struct {
	mu                sync.Mutex
	current, previous string
}

// rotate makes a new nonce; the one before the last is live no more.
func (n *nonces) rotate() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	n.mu.Lock()
	defer n.mu.Unlock()
	n.previous, n.current = n.current, base64.RawURLEncoding.EncodeToString(b[:])
}

func (n *nonces) fresh() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current
}

func (n *nonces) live(nonce string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return nonce != "" && (nonce == n.current || nonce == n.previous)
}
