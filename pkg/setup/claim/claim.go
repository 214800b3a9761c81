package claim

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Keeper stores the certificate and its key.
type Keeper interface {
	Load() (tls.Certificate, error)
	Writable() error            // nil, or an ErrFixed
	Keep(tls.Certificate) error // durable; a power cut leaves the old one or the new one
}

// Broker is the connection that uses the certificate.
type Broker interface {
	// Try connects with another certificate, beside the present session.
	Try(ctx context.Context, cert tls.Certificate) error
	// Take uses it from now on.
	Take(cert tls.Certificate) error
}

// Journal logs a change of the certificate.
type Journal interface {
	Taken(until time.Time) error // durable before the certificate is stored
	NotTaken()                   // it was not stored after all
}

// Deps is what a Claim needs.
type Deps struct {
	Keeper Keeper
	Broker Broker
	Own    Journal // for what the camera renews by itself
	Clock  Clock
	CA     string // file of the broker's authority, used for an enrolment server without one of its own

	CAText string // PEM, if there is no such file
}

// Claim is the device's certificate for its broker, and the next one. It is safe for
// concurrent use.
type Claim struct {
	device    proto.DeviceID
	deps      Deps
	est       *EST // nil: the camera does not renew it by itself
	log       *slog.Logger
	condition *health.Condition

	taking sync.Mutex // held while a certificate is checked, tried and stored

	mu      sync.Mutex
	current tls.Certificate
	leaf    *x509.Certificate // of current
	next    crypto.Signer     // the key of the newest request; nil: there is none
	problem string            // why the camera's last own renewal failed
}

// New reads the present certificate and starts nothing.
func New(cfg Config, log *slog.Logger, board *health.Board, device proto.DeviceID, deps Deps) (*Claim, error) {
	c := &Claim{device: device, deps: deps, log: log.With("component", "claim")}
	var err error
	if c.est, err = cfg.server(deps.CA, deps.CAText); err != nil {
		return nil, err
	}
	if c.current, err = deps.Keeper.Load(); err != nil {
		return nil, err
	}
	if c.leaf, err = x509.ParseCertificate(c.current.Certificate[0]); err != nil {
		return nil, fmt.Errorf("read the certificate for the broker: %w", err)
	}
	c.condition = board.Condition("certificate") // last, so that an error before leaves no condition
	return c, nil
}

// Certificate returns the certificate in use.
func (c *Claim) Certificate() tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// Status returns how long the certificate is valid.
func (c *Claim) Status() proto.CertificateStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return proto.CertificateStatus{From: c.leaf.NotBefore.Unix(), Until: c.leaf.NotAfter.Unix(), Problem: c.problem}
}

// Request returns a certificate request for a new key (PKCS #10 in DER). It uses the same key
// until a certificate is taken or camd ends, so that a second request does not spoil what was
// signed for the first.
func (c *Claim) Request() ([]byte, error) {
	if err := c.deps.Keeper.Writable(); err != nil {
		return nil, err
	}
	key, _, err := c.nextKey()
	if err != nil {
		return nil, err
	}
	return Request(c.device, key)
}

// nextKey returns the key of the next certificate, which it makes if necessary, and the leaf
// of the present one.
func (c *Claim) nextKey() (crypto.Signer, *x509.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		key, err := NewKey()
		if err != nil {
			return nil, nil, err
		}
		c.next = key
	}
	return c.next, c.leaf, nil
}

// Set takes the chain that was made for the newest request, if it is valid and the broker
// accepts it. Until then, and after any error, the old one is used. The error is a *Problem,
// ErrFixed, ErrBusy, or a fault of the device.
func (c *Claim) Set(ctx context.Context, chain [][]byte, journal Journal) error {
	if !c.taking.TryLock() {
		return ErrBusy
	}
	defer c.taking.Unlock()
	if err := c.deps.Keeper.Writable(); err != nil {
		return err
	}
	c.mu.Lock()
	key, done := c.next, len(chain) > 0 && string(chain[0]) == string(c.current.Certificate[0])
	c.mu.Unlock()
	switch {
	case done:
		return problem("The camera has this certificate already.")
	case key == nil:
		return problem("The camera is not waiting for a certificate: it forgets its request when it restarts. Ask it for another request, and have that signed.")
	}
	return c.take(ctx, key, chain, journal)
}

// tryTime bounds the trial of a new certificate at the broker.
const tryTime = 10 * time.Second

// take checks, tries, logs and stores a chain, in this order. taking is held.
func (c *Claim) take(ctx context.Context, key crypto.Signer, chain [][]byte, journal Journal) error {
	leaf, err := Wanted{c.device, key.Public(), c.deps.Clock}.Judge(chain)
	if err != nil {
		return err
	}
	cert := tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}
	if err := c.try(ctx, cert); err != nil {
		return err
	}
	if err := journal.Taken(leaf.NotAfter); err != nil {
		return err
	}
	if err := c.deps.Keeper.Keep(cert); err != nil {
		journal.NotTaken()
		return err
	}
	c.mu.Lock()
	c.current, c.leaf, c.next, c.problem = cert, leaf, nil, ""
	c.mu.Unlock()
	c.log.Info("there is a new certificate for the broker", "until", leaf.NotAfter)
	c.assess()
	return c.deps.Broker.Take(cert)
}

func (c *Claim) try(ctx context.Context, cert tls.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	err := c.deps.Broker.Try(ctx, cert)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return &Problem{Sentence: "The certificate was tried, and does not work: " + err.Error(), cause: err}
}
