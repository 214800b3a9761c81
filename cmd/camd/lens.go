package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
	"github.com/camd-project/camd/pkg/setup/lens"
)

// readCodesCmd is the process in which codes are read: a picture in which somebody holds
// something strange can end that, and no more.
type readCodesCmd struct{}

// Run reads pictures from standard input until it ends.
func (readCodesCmd) Run(env *environment) error { return lens.Serve(env.in, env.raw) }

// openLens has the camera read codes while the pairing window is open.
func (d *daemon) openLens() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	codes := &shownCodes{authority: d.authority, told: d.pairing, log: d.log.With("component", "lens")}
	d.run(lens.New(d.log, d.board, grayCamera{d.camera}, pairingWindow{d.authority}, codes, lens.NewProcess(exe, "read-codes")))
	return nil
}

// taker is what becomes of a code that was read.
type taker interface {
	Identity() *identity.Identity
	PairByCode(ctx context.Context, s auth.Shown, progress func(proto.SetupStep)) error
	CountWrongCode(code string)
}

// shownCodes opens what the lens has read, and hands it to auth.
type shownCodes struct {
	authority taker
	told      *feedback // who shows a code learns nothing from the camera but what the room does
	log       *slog.Logger

	said string // the code that was last not taken, and why: the camera sees it again and again
}

// Take reports whether the lens can stop looking: somebody was let in, or nobody can be any
// more.
func (s *shownCodes) Take(ctx context.Context, sealed code.Sealed) bool {
	shown, err := s.open(sealed)
	if err != nil {
		s.refuse(sealed, err)
		s.authority.CountWrongCode(sealed.Hash())
		return false
	}
	s.told.hear()
	err = s.authority.PairByCode(ctx, shown, func(step proto.SetupStep) { s.log.Info("setting up", "step", string(step)) })
	if err != nil && ctx.Err() == nil { // else the window closed, or somebody pairs in another way
		s.refuse(sealed, err)
	}
	return err == nil || errors.Is(err, auth.ErrWindowClosed)
}

// refuse says once why a code is not taken, and shows as long as it is seen that it isn't.
func (s *shownCodes) refuse(sealed code.Sealed, err error) {
	s.told.flash()
	if what := sealed.Hash() + err.Error(); what != s.said {
		s.said = what
		s.log.Warn("a code was not taken", "error", err)
	}
}

// open reads what a code says. Only this camera's label has the secret for it.
func (s *shownCodes) open(sealed code.Sealed) (auth.Shown, error) {
	id := s.authority.Identity()
	body, err := code.Open(id.Label().Secret, id.DeviceID(), sealed)
	if err != nil {
		return auth.Shown{}, err
	}
	card, err := envelope.ShortCard{Sig: body.Sig, Enc: body.Enc, Signature: body.Proof}.Long()
	if err != nil {
		return auth.Shown{}, err
	}
	settings, err := settingsOf(body)
	return auth.Shown{Code: sealed.Hash(), Card: card, Settings: settings}, err
}

// settingsOf is what a code sets, as a client that is there itself would.
func settingsOf(b code.Body) (s proto.SetupSettings, err error) {
	if n := b.WiFi; n != nil {
		s.WiFi = &proto.WiFi{SSID: proto.SSID(n.SSID), Password: n.Password, Hidden: n.Hidden, OpenOK: n.OpenOK}
	}
	if n := b.Broker; n != nil {
		s.Broker = &proto.SetupBroker{URL: n.URL, ViewerURL: n.ViewerURL, ServerName: n.ServerName}
		if len(n.CA) > 0 {
			s.Broker.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.CA}))
		}
	}
	if n := b.EST; n != nil {
		s.EST = &proto.EST{URL: n.URL, User: n.User, Password: n.Password}
	}
	if n := b.Login; n != nil {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), n.Key)
		if err != nil {
			return s, fmt.Errorf("the key in a code: %w", err)
		}
		if s.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return s, fmt.Errorf("the key in a code: %w", err)
		}
		s.Chain = n.Chain
	}
	return s, nil
}
