package main

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/setup/wifi"
)

// notSetUp is what people read of a camera that knows no broker.
const notSetUp = "The camera is not set up yet. Hold its pairing button for three seconds, or run camd pair on it, and then camctl pair."

// reach is the [link] table, and where it names no broker, what the device was set up
// with.
func reach(cfg link.Config, own setup.Settings) link.Config {
	if cfg.Broker != "" || own.Broker == nil {
		return cfg
	}
	cfg.Broker = own.Broker.URL
	cfg.ViewerBroker = cmp.Or(cfg.ViewerBroker, own.Broker.ViewerURL)
	cfg.ServerName = cmp.Or(cfg.ServerName, own.Broker.ServerName)
	if cfg.CA == "" {
		cfg.Authority = own.Broker.CA
	}
	return cfg
}

// meetingPlace is where who pairs meets the device: by what it is set up with then.
type meetingPlace struct {
	cfg link.Config
	log *slog.Logger
	own *setup.Setup // set before anybody pairs
}

func (m *meetingPlace) login(id proto.ClientID) envelope.BrokerLogin {
	login, err := meetingPoint(reach(m.cfg, m.own.Settings()), m.log)
	if err != nil {
		m.log.Error("who pairs is not told where the broker is", "error", err)
		return envelope.BrokerLogin{}
	}
	return login(id)
}

func setupConfig(cfg config.Config, id *identity.Identity, check func(context.Context, string) error) setup.Config {
	return setup.Config{State: cfg.Device.State, Device: id.DeviceID(), Check: check,
		FixedBroker: cfg.Link.Broker != "", FixedCertificate: cfg.Link.Certificate != ""}
}

func setupDeps(cfg config.Config, authority *auth.Authority, radio *wifi.Radio, board *health.Board, end anew) setup.Deps {
	id := authority.Identity()
	return setup.Deps{
		Radio: radio, HasWiFi: radio.Present, InNetwork: radio.Current, NotTaken: authority.WiFiNotTaken, Board: board,
		Broker: trial{cfg, id}, Claim: certifier{id.DeviceID(), claim.Clock(clockOf(cfg)), cfg.Link.CA},
		Supplied: func() string { return supplied(cfg, id) },
		Member:   func(c proto.ClientID) bool { return authority.MemberName(c) != "" },
		Window:   authority.Window,
		Again:    end.now,
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

// unreached is why a broker was not reached, as setup has it.
func unreached(err error) error {
	var problem *link.Problem
	if errors.As(err, &problem) && !errors.Is(err, context.Canceled) {
		return &proto.SetupProblem{Code: problem.Code(), Detail: problem.Sentence}
	}
	return err
}

// session is the link's, by which setup reaches the broker.
type session struct{ *link.Link }

// Reconnect implements setup.Link.
func (s session) Reconnect(ctx context.Context) error { return unreached(s.Link.Reconnect(ctx)) }

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
func (c certifier) Enroll(ctx context.Context, est proto.EST, authority string, request []byte) ([][]byte, error) {
	if c.ca != "" {
		text, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("read the broker's authority: %w", err)
		}
		authority = string(text)
	}
	server, err := claim.NewEST(est.URL, []byte(authority))
	if err != nil {
		return nil, err
	}
	return server.Enroll(ctx, request, est.User, est.Password)
}
