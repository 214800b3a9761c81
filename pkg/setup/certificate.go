package setup

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/camd-project/camd/pkg/setup/claim"
)

// Keeper returns a claim.Keeper that stores renewed certificates in the settings.
func (s *Setup) Keeper() claim.Keeper { return renewed{s} }

type renewed struct{ *Setup }

// Load implements claim.Keeper.
func (r renewed) Load() (tls.Certificate, error) { return r.Settings().Certificate() }

// Writable implements claim.Keeper.
func (r renewed) Writable() error { return nil }

// Keep implements claim.Keeper.
func (r renewed) Keep(cert tls.Certificate) error {
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("keep the key for the broker: %w", err)
	}
	r.keeping.Lock()
	defer r.keeping.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.current
	next.Chain, next.Key = cert.Certificate, der
	if err := r.keep.replace(next); err != nil {
		return err
	}
	r.current = next
	return nil
}
