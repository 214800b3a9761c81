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

// Time limits of a trial. In a new network a clock needs some seconds to be set.
const (
	brokerTime = 30 * time.Second
	clockTime  = 45 * time.Second
	clockPause = 3 * time.Second
	undoTime   = 20 * time.Second // to go back to the previous Wi-Fi
	endTime    = 3 * time.Second  // for the same while camd ends; its next start does it anyway
)

// Apply tries settings in place of those in force. If they work, they are stored and enroll
// is called for client, both or neither. Otherwise the previous settings stay in force.
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

// merge returns the settings in force with the new ones in their place, or an error if they
// can't be used. Nothing is tried yet.
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

// certified checks a chain that was made for a key, and puts both into settings.
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
		into.Broker = nil // the certificate is for the configured broker, not for an earlier one
	}
	return nil
}

// try joins the network, gets the certificate if a server makes it, and connects to the
// broker.
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
		return nil // only Wi-Fi; there is no broker yet
	}
	if len(next.Chain) == 0 && !s.cfg.FixedCertificate && s.deps.Supplied() == "" {
		return &proto.SetupProblem{Code: proto.CodeCertificate}
	}
	progress(proto.StepBroker)
	return inTime(ctx, progress, func() error {
		ctx, cancel := context.WithTimeout(ctx, brokerTime)
		defer cancel()
		return s.deps.Broker.Try(ctx, *next)
	})
}

// inTime tries again while only the clock is wrong, which takes a while in a new network.
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

// commit stores settings together with the enrolment. Each step is durable before the next.
func (s *Setup) commit(client proto.ClientID, set proto.SetupSettings, next Settings, enroll func() error) error {
	s.keeping.Lock() // a renewal of the certificate waits, and replaces it in next
	defer s.keeping.Unlock()
	if len(set.Chain) == 0 && set.EST == nil { // it may have been renewed during the trial
		now := s.Settings()
		next.Chain, next.Key = now.Chain, now.Key
	}
	if s.deps.Member(client) { // enroll changes nothing then, so one write is enough
		if err := enroll(); err != nil {
			return err
		}
		if err := s.keep.take(next); err != nil {
			return s.unkept(err)
		}
	} else {
		if err := s.keep.pend(pending{Client: client, Settings: &next}); err != nil {
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

// undo goes back to the previous Wi-Fi, even if ctx has ended, but not if camd has.
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
