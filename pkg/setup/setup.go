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

// Radio is the device's Wi-Fi. Errors that a person can do something about are
// *proto.SetupProblem.
type Radio interface {
	// Networks lists what is heard: at most proto.MaxNetworks, the strongest first, each
	// SSID once.
	Networks(ctx context.Context) ([]proto.Network, error)
	// Join joins a network, and returns when the device has an address in it, as it is to
	// be kept: Keep says which is in force.
	Join(ctx context.Context, w proto.WiFi, progress func(proto.SetupStep)) (proto.WiFi, error)
	// Keep puts a network in force from now on, or none of camd's if w is nil.
	Keep(ctx context.Context, w *proto.WiFi) error
}

// Broker is the way to the broker.
type Broker interface {
	// Try connects once, by settings that are not in force, beside whatever connection
	// there is. What a person can do something about is a *proto.SetupProblem.
	Try(ctx context.Context, s Settings) error
}

// Claim is how the device comes to its certificate for the broker. What a person can do
// something about is a *claim.Problem.
type Claim interface {
	// NewRequest makes a key and asks for a certificate for it, as PKCS #10 in DER.
	NewRequest() (crypto.Signer, []byte, error)
	// Judge reports what is wrong with a chain that was made for a key.
	Judge(key crypto.PublicKey, chain [][]byte) error
	// Enroll has an EST server, which authority vouches for, make the chain.
	Enroll(ctx context.Context, est proto.EST, authority string, request []byte) ([][]byte, error)
}

// Config is what a Setup is opened with.
type Config struct {
	State  string // the state folder, in which auth has made the folder of stores
	Device proto.DeviceID
	// FixedBroker: the configuration names the broker. FixedCertificate: and the
	// certificate. Then nobody sets another.
	FixedBroker, FixedCertificate bool
	// Check judges a database file before it is opened: store.ChildCheck.
	Check func(ctx context.Context, path string) error
}

// Deps is what a Setup needs.
type Deps struct {
	Radio    Radio       // nil: there is no Wi-Fi
	HasWiFi  func() bool // whether there is some at the moment; nil where Radio is
	Broker   Broker
	Claim    Claim
	Supplied func() string             // names the certificate that somebody has put there by hand; empty: there is none
	Member   func(proto.ClientID) bool // whether a client is enrolled
	Window   func() context.Context    // ends when the pairing window closes that is open
	Again    func()                    // has camd begin again

	Board     *health.Board
	InNetwork func(context.Context) (*proto.Network, error) // in which the radio is; nil where Radio is
	NotTaken  func(entry uint64)                            // logs of a change of Wi-Fi that it did not work
}

// Setup knows how the broker is reached, and lets clients set it.
type Setup struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	keep *keeper
	link Link
	life context.Context // camd's

	busy    atomic.Bool // settings or a network are being tried
	changes chan change // from Change to Run

	keeping sync.Mutex // over each change of what is kept, from what it begins with; before mu

	mu        sync.Mutex
	current   Settings
	next      *request          // the newest; nil: there is none
	made      *made             // nil: there is nothing
	tried     *proto.WiFiChange // under way; nil: none is
	last      *proto.WiFiChange // nil: there was none
	condition *health.Condition // nil: no change went wrong yet
	left      bool              // camd ended while a network was tried
}

// request is what a certificate is made for.
type request struct {
	key crypto.Signer
	der []byte
}

// Open reads what is kept, and takes or drops what a power cut left pending. The end of ctx
// is that of camd: what is undone then has a few seconds left.
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

// recall reads what is in force, and deals with what is pending.
func (s *Setup) recall() error {
	current, next, err := s.keep.read()
	switch {
	case err != nil:
	case next == nil:
	case next.Change != nil:
		s.log.Warn("the previous Wi-Fi is in force: camd ended while another network was tried")
		s.deps.NotTaken(next.Change.Entry)
		s.left = true
		err = s.keep.end(current, interrupted(*next.Change))
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

// Run puts the Wi-Fi that was set up in force, and changes it when that is asked for. What
// else has to be done for it is the radio's own business.
func (s *Setup) Run(ctx context.Context, ready func()) error {
	ready()
	if err := s.start(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("put the Wi-Fi in force: %w", err)
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

func (s *Setup) start(ctx context.Context) error {
	if s.deps.Radio == nil {
		return nil
	}
	if s.left { // what was tried may have the same name
		if err := s.deps.Radio.Keep(ctx, nil); err != nil {
			return err
		}
	}
	return s.deps.Radio.Keep(ctx, s.Settings().WiFi)
}

// Close closes the store.
func (s *Setup) Close() error { return s.keep.close() }

// Settings are those in force. What the configuration names goes before them.
func (s *Setup) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Settled has camd begin again.
func (s *Setup) Settled() { s.deps.Again() }

// Ask answers a question of a client that pairs.
func (s *Setup) Ask(ctx context.Context, ask proto.SetupAsk) (proto.SetupReply, error) {
	switch ask.Do {
	case proto.SetupDoState:
		now := s.state()
		return proto.SetupReply{State: &now}, nil
	case proto.SetupDoNetworks:
		if s.deps.Radio == nil {
			return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeNoWiFi}
		}
		if s.busy.Load() { // the radio is at something
			return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeBusy}
		}
		l, err := s.deps.Radio.Networks(ctx)
		return proto.SetupReply{Networks: l[:min(len(l), proto.MaxNetworks)]}, err
	case proto.SetupDoRequest:
		return s.request()
	}
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeBadRequest}
}

func (s *Setup) state() proto.SetupState {
	now := s.Settings()
	return proto.SetupState{
		Broker: s.cfg.FixedBroker || now.Broker != nil, Fixed: s.cfg.FixedBroker,
		Certificate: s.cfg.FixedCertificate || len(now.Chain) > 0 || s.deps.Supplied() != "",
		WiFi:        s.deps.Radio != nil && s.deps.HasWiFi(),
	}
}

// request is what is to be signed. Until a certificate is taken, or camd begins again, it
// is the same each time: whoever asks second does not spoil what is signed for the first.
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
