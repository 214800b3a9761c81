package auth

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// Times of nonces. docs/protocol.md 5.3.
const (
	nonceEvery = 5 * time.Second // the newest is given out no longer than that
	nonceLife  = 2 * time.Minute // since it was made
)

// nonces holds the nonces that are live. A client that has one has heard this device while
// the nonce was the newest. Their age is measured when one comes, so that a device which
// stood still takes nothing for fresh that was sent meanwhile. They are never stored, so
// none survives a restart. It is safe for concurrent use. docs/protocol.md 5.3.
type nonces struct {
	mu   sync.Mutex
	live []nonce // the oldest first
}

type nonce struct {
	text string
	made time.Time
}

// fresh returns the nonce for an answer.
func (n *nonces) fresh() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if l := len(n.live); l > 0 && now.Sub(n.live[l-1].made) < nonceEvery {
		return n.live[l-1].text
	}
	n.live = slices.DeleteFunc(n.live, func(old nonce) bool { return now.Sub(old.made) >= nonceLife })
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	text := base64.RawURLEncoding.EncodeToString(b[:])
	n.live = append(n.live, nonce{text, now})
	return text
}

// clear ends the life of every nonce.
func (n *nonces) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live = nil
}

// until returns the time from which a request under this nonce is stale: at the end of the
// nonce's life, or when its client no longer waits for an answer, which is ttl seconds after
// it got the nonce; 0 if it does not say. Under a nonce that is not live that time is past.
func (n *nonces) until(text string, ttl uint64) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.live, func(x nonce) bool { return x.text == text })
	if i < 0 {
		return time.Time{}
	}
	life := nonceLife
	if ttl > 0 && ttl < uint64(nonceLife/time.Second) {
		life = min(life, nonceEvery+time.Duration(ttl)*time.Second)
	}
	return n.live[i].made.Add(life)
}
