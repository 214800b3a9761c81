package setup

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

// Bounds of a trial. A clock that time servers set takes some seconds in a new network.
const (
	brokerTime = 30 * time.Second
	clockTime  = 45 * time.Second
	clockPause = 3 * time.Second
	undoTime   = 20 * time.Second // for the Wi-Fi of before
	endTime    = 3 * time.Second  // for the same, once camd is to end; its start puts the Wi-Fi in force anyway
)

// Apply tries settings over those in force. If they work they are kept together with what
// enroll does for client, both or neither; else those of before are in force.
func (s *Setup) Apply(ctx context.Context, client proto.ClientID, set proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error {
	if !s.busy.CompareAndSwap(false, true) {
		return &proto.SetupProblem{Code: proto.CodeBusy}
	}
	defer s.busy.Store(false)
	next, err := s.merge(set)
	if err != nil {
		return err
	}
	if err = s.try(ctx, client, set, &next, progress); err == nil {
		progress(proto.StepSaving)
		err = s.commit(client, set, next, enroll)
	}
	if err != nil {
		s.log.Warn("settings were not kept", "reason", err)
		s.undo(ctx, set)
		return err
	}
	s.log.Info("set up", "client", string(client), "wifi", set.WiFi != nil, "broker", set.Broker != nil, "certificate", len(set.Chain) > 0)
	if set.WiFi != nil {
		if err := s.deps.Radio.Keep(ctx, next.WiFi); err != nil {
			s.log.Warn("the Wi-Fi that was set up", "error", err) // it is put in force again at the start
		}
	}
	return nil
}

// merge lays what is set over what is in force, and refuses what can't be: nothing is
// tried yet.
func (s *Setup) merge(set proto.SetupSettings) (Settings, error) {
	next := s.Settings()
	switch {
	case set.Broker != nil && s.cfg.FixedBroker, (len(set.Chain) > 0 || set.EST != nil) && s.cfg.FixedCertificate:
		return next, &proto.SetupProblem{Code: proto.CodeFixed}
	case set.WiFi != nil && (s.deps.Radio == nil || !s.deps.HasWiFi()):
		return next, &proto.SetupProblem{Code: proto.CodeNoWiFi}
	case set.EST != nil && claim.CheckAddress(set.EST.URL) != nil: // it would be kept, and be asked when the certificate is old
		return next, &proto.SetupProblem{Code: proto.CodeCertificate, Detail: claim.CheckAddress(set.EST.URL).Error()}
	}
	if set.WiFi != nil {
		next.WiFi = set.WiFi
	}
	if set.Broker != nil {
		next.Broker = set.Broker
	}
	if set.EST != nil {
		next.EST = &proto.EST{URL: set.EST.URL, User: set.EST.User}
	}
	if len(set.Chain) == 0 {
		return next, nil
	}
	if len(set.Key) > 0 {
		key, err := x509.ParsePKCS8PrivateKey(set.Key)
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return next, &proto.SetupProblem{Code: proto.CodeCertificate, Detail: "The key that was made for the camera can't be read."}
		}
		return next, s.certified(&next, signer, set.Chain)
	}
	s.mu.Lock()
	asked := s.next
	s.mu.Unlock()
	if asked == nil {
		return next, &proto.SetupProblem{Code: proto.CodeCertificate, Detail: "The camera is not waiting for a certificate: it forgets its request when it restarts. Ask it for another request, and have that signed."}
	}
	return next, s.certified(&next, asked.key, set.Chain)
}

// certified judges a chain that was made for a key, and puts both into settings.
func (s *Setup) certified(into *Settings, key crypto.Signer, chain [][]byte) error {
	err := s.deps.Claim.Judge(key.Public(), chain)
	var wrong *claim.Problem
	switch {
	case errors.As(err, &wrong):
		return &proto.SetupProblem{Code: proto.CodeCertificate, Detail: wrong.Sentence}
	case err != nil:
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("keep the key for the broker: %w", err)
	}
	into.Chain, into.Key, into.Over = chain, der, cmp.Or(s.deps.Supplied(), OverNone)
	if s.cfg.FixedBroker {
		into.Broker = nil // it is for the broker of the configuration, and not for one of before
	}
	return nil
}

// try joins the network, has the certificate made where a server does that, and connects
// to the broker.
func (s *Setup) try(ctx context.Context, client proto.ClientID, set proto.SetupSettings, next *Settings, progress func(proto.SetupStep)) error {
	if set.WiFi != nil {
		progress(proto.StepWiFi)
		joined, err := s.deps.Radio.Join(ctx, *set.WiFi, progress)
		if err != nil {
			return err
		}
		next.WiFi = &joined
	}
	if set.EST != nil && len(set.Chain) == 0 {
		progress(proto.StepCertificate)
		if err := inTime(ctx, progress, func() error { return s.enrol(ctx, client, *set.EST, next) }); err != nil {
			return err
		}
	}
	if next.Broker == nil && !s.cfg.FixedBroker {
		return nil // Wi-Fi alone; there is nothing yet to be reached by it
	}
	if len(next.Chain) == 0 && !s.cfg.FixedCertificate && s.deps.Supplied() == "" {
		return &proto.SetupProblem{Code: proto.CodeCertificate}
	}
	progress(proto.StepBroker)
	return inTime(ctx, progress, func() error { return s.reach(ctx, *next) })
}

// inTime tries for as long as only the clock is wrong: in a new network that takes a while.
func inTime(ctx context.Context, progress func(proto.SetupStep), try func() error) error {
	end := time.Now().Add(clockTime)
	for {
		err := try()
		var problem *proto.SetupProblem
		if !errors.As(err, &problem) || problem.Code != proto.CodeClockWrong || time.Now().After(end) {
			return err
		}
		progress(proto.StepClock)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(clockPause):
		}
	}
}

func (s *Setup) reach(ctx context.Context, next Settings) error {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	return s.deps.Broker.Try(ctx, next)
}

// renewed takes a certificate that was renewed while others of the settings were tried.
func (s *Setup) renewed(set proto.SetupSettings, next Settings) Settings {
	if len(set.Chain) == 0 && set.EST == nil {
		now := s.Settings()
		next.Chain, next.Key = now.Chain, now.Key
	}
	return next
}

// commit keeps settings together with the enrolment. Each step is durable before the next.
func (s *Setup) commit(client proto.ClientID, set proto.SetupSettings, next Settings, enroll func() error) error {
	s.keeping.Lock() // a certificate that is renewed meanwhile waits, and goes into next
	defer s.keeping.Unlock()
	next = s.renewed(set, next)
	if s.deps.Member(client) { // enroll only says so; one write is whole in itself
		if err := enroll(); err != nil {
			return err
		}
		if err := s.keep.take(next); err != nil {
			return s.unkept(err)
		}
	} else {
		if err := s.keep.pend(client, next); err != nil {
			return s.unkept(err)
		}
		if err := enroll(); err != nil {
			return errors.Join(err, s.keep.drop())
		}
		if err := s.keep.take(next); err != nil { // the next start does it
			s.log.Error("what was set up is not yet in its place", "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.next, s.made = next, nil, nil
	return nil
}

func (s *Setup) unkept(err error) error {
	s.log.Error("settings can't be kept", "error", err)
	return &proto.SetupProblem{Code: proto.CodeStorage}
}

// undo puts the Wi-Fi of before in force again, whatever else has ended but camd.
func (s *Setup) undo(ctx context.Context, set proto.SetupSettings) {
	if set.WiFi == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	defer context.AfterFunc(s.life, func() { time.AfterFunc(endTime, cancel) })()
	if err := s.deps.Radio.Keep(ctx, s.Settings().WiFi); err != nil {
		s.log.Warn("the previous Wi-Fi", "error", err)
	}
}
