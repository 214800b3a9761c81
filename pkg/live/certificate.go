package live

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/watchdog"
)

const certLife = 24 * time.Hour // of a certificate that waits for its session

// makeCertificates has one DTLS certificate ready for the next session, so that no
// viewer waits for the key, and makes a new one after each. It calls turn for each turn
// of the watchdog.
func makeCertificates(ctx context.Context, ready chan<- webrtc.Certificate, turns watchdog.Loop, turn func()) error {
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("make DTLS key: %w", err)
		}
		c, err := webrtc.GenerateCertificate(key)
		if err != nil {
			return fmt.Errorf("make DTLS certificate: %w", err)
		}
		if over := keep(ctx, *c, ready, turns, turn); over {
			return nil
		}
	}
}

// keep offers a certificate until a session takes it, it is old, or ctx ends.
func keep(ctx context.Context, c webrtc.Certificate, ready chan<- webrtc.Certificate, turns watchdog.Loop, turn func()) (over bool) {
	old := time.NewTimer(certLife)
	defer old.Stop()
	for {
		select {
		case ready <- c:
			return false
		case turned := <-turns:
			turn()
			turned()
		case <-old.C:
			return false
		case <-ctx.Done():
			return true
		}
	}
}
