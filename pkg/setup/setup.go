package setup

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Radio is the device's Wi-Fi. Errors that a person can fix are *proto.SetupProblem.
type Radio interface {
	// Networks returns the networks in reach: at most proto.MaxNetworks, the strongest
	// first, each SSID once.
	Networks(ctx context.Context) ([]proto.Network, error)
	// Join joins a network, and returns when the device has an address in it. It returns
	// the network in the form in which Keep takes it.
	Join(ctx context.Context, w proto.WiFi, progress func(proto.SetupStep)) (proto.WiFi, error)
	// Keep makes the device use a network from now on, or none of camd's if w is nil.
	Keep(ctx context.Context, w *proto.WiFi) error
}

// Broker is the way to the broker.
type Broker interface {
	// Try connects once with settings that are not in use yet, beside the present
	// connection. Errors that a person can fix are *proto.SetupProblem.
	Try(ctx context.Context, s Settings) error
}

// Claim gets the device's certificate for the broker. Errors that a person can fix are
// *claim.Problem.
type Claim interface {
	// NewRequest makes a key and a certificate request for it, as PKCS #10 in DER.
	NewRequest() (crypto.Signer, []byte, error)
	// Judge returns what is wrong with a chain that was made for a key, or nil.
	Judge(key crypto.PublicKey, chain [][]byte) error
	// Enroll gets the chain from an EST server. caText has the CA certificates, in PEM, by
	// which the server is verified.
	Enroll(ctx context.Context, est proto.EST, caText string, request []byte) ([][]byte, error)
}

// Config is the configuration of a Setup.
type Config struct {
	State  string // the state folder, in which the folder of stores exists
	Device proto.DeviceID
	// The configuration names the broker, and the certificate, so that nobody can set
	// another.
	FixedBroker, FixedCertificate bool
	// Check checks a database file before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

// Deps is what a Setup needs.
type Deps struct {
	Radio    Radio       // nil: there is no Wi-Fi
	HasWiFi  func() bool // whether there is Wi-Fi now; nil if Radio is
	Broker   Broker
	Claim    Claim
	Supplied func() string             // identifies the certificate that somebody installed by hand, or ""
	Member   func(proto.ClientID) bool // whether a client is enrolled
	Window   func() context.Context    // ends when the present pairing window closes
	Again    func()                    // restarts camd's parts

	Board     *health.Board
	InNetwork func(context.Context) (*proto.Network, error) // the network of the radio; nil if Radio is
	NotTaken  func(entry uint64)                            // logs that a change of Wi-Fi failed
}

// Setup knows how to reach the broker, and lets clients set that. It is safe for concurrent
// use.
type Setup struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	keep *keeper
	link Link
	life context.Context // of camd

	busy    atomic.Bool // settings or a network are being tried
	changes chan change // from Change to Run

	keeping sync.Mutex // held while stored settings are read and changed; taken before mu

	mu        sync.Mutex
	current   Settings
	next      *request          // the newest; nil: there is none
	made      *made             // nil: there is none
	tried     *proto.WiFiChange // the present change; nil: there is none
	last      *proto.WiFiChange // nil: there was none
	condition *health.Condition // nil: no change has failed yet
	left      bool              // camd ended while a network was tried
}

// request is a certificate request and its key.
type request struct {
	key crypto.Signer
	der []byte
}

// Open reads the stored settings, and takes or drops what a power cut left pending. ctx ends
// with camd; then a few seconds are left to undo what is being tried.
func Open(ctx context.Context, cfg Config, log *slog.Logger, deps Deps) (*Setup, error) {
	s := &Setup{cfg: cfg, deps: deps, log: log.With("component", "setup"), life: ctx, changes: make(chan change, 1)}
	var err error
	if s.keep, err = openKeeper(ctx, cfg.State, cfg.Check, s.log); err != nil {
		return nil, fmt.Errorf("open what is set up: %w", err)
	}
	if err := s.recall(); err != nil {
		return nil, errors.Join(fmt.Errorf("open what is set up: %w", err), s.keep.close())
	}
	return s, nil
}

// recall reads the settings in force, and handles pending ones.
func (s *Setup) recall() error {
	current, next, err := s.keep.read()
	switch {
	case err != nil:
	case next == nil:
	case next.Change != nil:
		s.log.Warn("the previous Wi-Fi is in force: camd ended while another network was tried")
		s.deps.NotTaken(next.Change.Entry)
		s.left = true
		next.Change.Code = proto.CodeInternal
		next.Change.Reason = "The camera restarted before it reached its broker in the new network, so it went back to the previous one. Try again."
		err = s.keep.end(current, *next.Change)
	case next.Settings != nil && s.deps.Member(next.Client):
		current = *next.Settings
		err = s.keep.take(current)
	default:
		s.log.Warn("settings are dropped: the client that was to be enrolled with them was not")
		err = s.keep.drop()
	}
	if err != nil {
		return err
	}
	s.current = current
	if s.last, err = s.keep.last(); err == nil && s.last != nil {
		s.tell(*s.last)
	}
	return err
}

// String names the component.
func (s *Setup) String() string { return "setup" }

// Run makes the device use the Wi-Fi that was set up, and changes it on request.
func (s *Setup) Run(ctx context.Context, ready func()) error {
	ready()
	if s.deps.Radio != nil {
		var err error
		if s.left { // the network that was tried may have the same name
			err = s.deps.Radio.Keep(ctx, nil)
		}
		if err == nil {
			err = s.deps.Radio.Keep(ctx, s.Settings().WiFi)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("put the Wi-Fi in force: %w", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-s.changes:
			s.change(ctx, c)
		}
	}
}

// Close closes the store.
func (s *Setup) Close() error { return s.keep.close() }

// Settings returns the settings in force. The configuration takes precedence over them.
func (s *Setup) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Settled restarts camd's parts.
func (s *Setup) Settled() { s.deps.Again() }

// Ask answers a client that is pairing.
func (s *Setup) Ask(ctx context.Context, ask proto.SetupAsk) (proto.SetupReply, error) {
	switch ask.Do {
	case proto.SetupDoState:
		now := s.Settings()
		return proto.SetupReply{State: &proto.SetupState{
			Broker: s.cfg.FixedBroker || now.Broker != nil, Fixed: s.cfg.FixedBroker,
			Certificate: s.cfg.FixedCertificate || len(now.Chain) > 0 || s.deps.Supplied() != "",
			WiFi:        s.deps.Radio != nil && s.deps.HasWiFi(),
		}}, nil
	case proto.SetupDoNetworks:
		if s.deps.Radio == nil {
			return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeNoWiFi}
		}
		if s.busy.Load() { // the radio is in use
			return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeBusy}
		}
		l, err := s.deps.Radio.Networks(ctx)
		return proto.SetupReply{Networks: l[:min(len(l), proto.MaxNetworks)]}, err
	case proto.SetupDoRequest:
		return s.request()
	}
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeBadRequest}
}

// request returns the certificate request. It stays the same until a certificate is taken or
// camd restarts, so that a second client does not spoil what is signed for the first.
func (s *Setup) request() (proto.SetupReply, error) {
	if s.cfg.FixedCertificate {
		return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeFixed}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		key, der, err := s.deps.Claim.NewRequest()
		if err != nil {
			return proto.SetupReply{}, err
		}
		s.next = &request{key, der}
	}
	return proto.SetupReply{Request: s.next.der, Subject: string(s.cfg.Device)}, nil
}
