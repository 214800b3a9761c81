package live

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
)

const certLife = 24 * time.Hour // of a certificate that waits for its session

// makeCertificates has one DTLS certificate ready for the next session, so that no
// viewer waits for the key, and makes a new one after each.
func (s *Server) makeCertificates(ctx context.Context) error {
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("make DTLS key: %w", err)
		}
		c, err := webrtc.GenerateCertificate(key)
		if err != nil {
			return fmt.Errorf("make DTLS certificate: %w", err)
		}
		if over := s.keep(ctx, *c); over {
			return nil
		}
	}
}

// keep offers a certificate until a session takes it, it is old, or ctx ends.
func (s *Server) keep(ctx context.Context, c webrtc.Certificate) (over bool) {
	old := time.NewTimer(certLife)
	defer old.Stop()
	for {
		select {
		case s.certificates <- c:
			return false
		case turned := <-s.turns:
			_ = s.stopping() // takes the lock over the sessions, which nobody may hold for long
			turned()
		case <-old.C:
			return false
		case <-ctx.Done():
			return true
		}
	}
}
