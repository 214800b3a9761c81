package auth

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
)

// nonces are the two live nonces: who holds one has heard this device within the
// last two rotations. They are never stored, so none survives a restart.
// docs/protocol.md 5.3.
type nonces struct {
	mu                sync.Mutex
	current, previous string
}

// rotate makes a new nonce and ends the life of the one before the last.
func (n *nonces) rotate() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	n.mu.Lock()
	defer n.mu.Unlock()
	n.previous, n.current = n.current, base64.RawURLEncoding.EncodeToString(b[:])
}

// renew ends the life of every nonce there is.
func (n *nonces) renew() {
	n.rotate()
	n.rotate()
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
