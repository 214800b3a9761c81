package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"

	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/claim"
)

func setupConfig(cfg config.Config, id *identity.Identity, check func(context.Context, string) error) setup.Config {
	return setup.Config{State: cfg.Device.State, Device: id.DeviceID(), Check: check,
		FixedBroker: cfg.Link.Broker != "", FixedCertificate: cfg.Link.Certificate != ""}
}

func (d *daemon) setupDeps() setup.Deps {
	return setup.Deps{
		Radio: d.wireless, HasWiFi: d.wireless.Present, InNetwork: d.wireless.Current, NotTaken: d.authority.WiFiNotTaken, Board: d.board,
		Broker:   trial{d.cfg, d.identity},
		Claim:    certifier{d.identity.DeviceID(), claim.Clock(clockOf(d.cfg)), d.cfg.Link.CA},
		Supplied: func() string { return supplied(d.cfg, d.identity) },
		Member:   func(c proto.ClientID) bool { return d.authority.MemberName(c) != "" },
		Window:   d.authority.Window,
		Again:    d.again.now,
	}
}

// trial connects to a broker by settings that are not in force.
type trial struct {
	cfg      config.Config
	identity *identity.Identity
}

// Try implements setup.Broker.
func (t trial) Try(ctx context.Context, own setup.Settings) error {
	cert, err := operational(t.cfg, t.identity, own)
	if err != nil {
		return &proto.SetupProblem{Code: proto.CodeCertificate}
	}
	err = link.Trial(ctx, reach(t.cfg.Link, own), t.identity.DeviceID(), link.Login{Certificate: cert, Identity: t.identity.Signer()})
	var problem *link.Problem
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.As(err, &problem):
		return unreached(err)
	}
	return &proto.SetupProblem{Code: proto.CodeBrokerCertificate, Detail: "These settings can't be used: " + err.Error() + "."}
}

// certifier is how the device comes to its certificate for the broker.
type certifier struct {
	device proto.DeviceID
	clock  claim.Clock
	ca     string // file of the configured broker's authority
}

// NewRequest implements setup.Claim.
func (c certifier) NewRequest() (crypto.Signer, []byte, error) {
	key, err := claim.NewKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := claim.Request(c.device, key)
	return key, der, err
}

// Judge implements setup.Claim.
func (c certifier) Judge(key crypto.PublicKey, chain [][]byte) error {
	_, err := claim.Wanted{Device: c.device, Key: key, Clock: c.clock}.Judge(chain)
	return err
}

// Enroll implements setup.Claim.
func (c certifier) Enroll(ctx context.Context, est proto.EST, caText string, request []byte) ([][]byte, error) {
	if c.ca != "" {
		text, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("read the broker's authority: %w", err)
		}
		caText = string(text)
	}
	server, err := claim.NewEST(est.URL, []byte(caText))
	if err != nil {
		return nil, err
	}
	return server.Enroll(ctx, request, est.User, est.Password)
}
