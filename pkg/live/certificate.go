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
		c, err := newCertificate()
		if err != nil {
			return err
		}
		old := time.NewTimer(certLife)
		select {
		case s.certificates <- c:
		case <-old.C:
		case <-ctx.Done():
			old.Stop()
			return nil
		}
		old.Stop()
	}
}

func newCertificate() (webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make DTLS key: %w", err)
	}
	c, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make DTLS certificate: %w", err)
	}
	return *c, nil
}
