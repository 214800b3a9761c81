package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/claim"
)

func certificatePath(cfg config.Config) string {
	return cmp.Or(cfg.Link.Certificate, filepath.Join(cfg.Device.State, "identity", "operational.crt"))
}

func certificateFile(cfg config.Config, id *identity.Identity) claim.File {
	return claim.File{Path: certificatePath(cfg), Identity: id.Signer()}
}

// requestPath is where the factory left the identity's request.
func requestPath(state string) string { return filepath.Join(state, "identity", "device.csr") }

// supplied names the certificate in the file; empty: none that can be used is there.
func supplied(cfg config.Config, id *identity.Identity) string {
	cert, err := certificateFile(cfg, id).Load()
	if err != nil {
		return ""
	}
	hash := sha256.Sum256(cert.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// usesSetupCertificate reports whether the certificate from the set-up is used instead of
// the file. The file is used if the configuration names it. If it holds a certificate that
// can be used, it is also used if it was replaced after the set-up, or if the configuration
// now names a broker and the set-up had named one too.
func usesSetupCertificate(cfg config.Config, id *identity.Identity, own setup.Settings) bool {
	if cfg.Link.Certificate != "" || len(own.Chain) == 0 {
		return false
	}
	there := supplied(cfg, id)
	elsewhere := cfg.Link.Broker != "" && own.Broker != nil
	return there == "" || !elsewhere && (own.Over == "" || own.Over == there)
}

// operational is the certificate that is shown to the broker, with its key: the one that
// the device was set up with, or that lies in a file, made by the broker's operator or
// renewed since.
func operational(cfg config.Config, id *identity.Identity, own setup.Settings) (tls.Certificate, error) {
	if usesSetupCertificate(cfg, id, own) {
		return own.Certificate()
	}
	file := certificateFile(cfg, id)
	cert, err := file.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("no certificate for the broker at %s: have %s signed by the broker's operator and put the result there",
			file.Path, requestPath(cfg.Device.State))
	}
	return cert, err
}

// openClaim has the certificate renewed, if there is one.
func (d *daemon) openClaim() error {
	own := d.setup.Settings()
	reached := reach(d.cfg.Link, own)
	if _, err := operational(d.cfg, d.identity, own); err != nil || reached.Broker == "" {
		return nil //nolint:nilerr // the link says so
	}
	deps := claim.Deps{
		Keeper: certificateFile(d.cfg, d.identity), Broker: d.link, Own: d.authority.CertificateTaken(nil),
		Clock: claim.Clock(clockOf(d.cfg)), CA: d.cfg.Link.CA, CAText: reached.CAText,
	}
	if usesSetupCertificate(d.cfg, d.identity, own) {
		deps.Keeper = d.setup.Keeper()
	}
	c, err := newClaim(d.cfg.Enrolment, own.EST, d.log, d.board, d.identity.DeviceID(), deps)
	if err != nil {
		return err
	}
	d.certificate = c
	d.run(c)
	return nil
}

// newClaim goes by the configuration's enrolment server, or the one that was set up. That
// one keeps the camera from nothing where it can't be used.
func newClaim(cfg claim.Config, own *proto.EST, log *slog.Logger, board *health.Board, device proto.DeviceID, deps claim.Deps) (*claim.Claim, error) {
	if cfg.URL == "" && own != nil {
		c, err := claim.New(claim.Config{URL: own.URL, CA: cfg.CA}, log, board, device, deps)
		if err == nil {
			return c, nil
		}
		log.Warn("the enrolment server that was set up can't be used", "error", err)
	}
	c, err := claim.New(cfg, log, board, device, deps)
	if err != nil {
		return nil, inTable("enrolment", err)
	}
	return c, nil
}

// claimer is the certificate as members may ask for another one.
type claimer interface {
	Status() proto.CertificateStatus
	Request() ([]byte, error)
	Set(ctx context.Context, chain [][]byte, journal claim.Journal) error
}

// brokerCertificate says how long the camera's certificate for its broker lasts, or takes
// another one. docs/protocol.md 13.1.
func (d *daemon) brokerCertificate(ctx context.Context, r auth.Request, q proto.CertificateRequest) (auth.Result, error) {
	entry := d.authority.CertificateTaken(&r)
	now, err := askCertificate(ctx, d.certificate, q, entry)
	res := auth.Result{Body: now}
	if q.Do == proto.CertificateDoSet && now.Problem == "" {
		res.Entry = &entry.Entry
	}
	return res, err
}

// askCertificate does what is asked. Why a certificate was not taken is a part of the
// answer: no code could say it.
func askCertificate(ctx context.Context, c claimer, q proto.CertificateRequest, journal claim.Journal) (proto.CertificateStatus, error) {
	var request []byte
	var err error
	switch q.Do {
	case proto.CertificateDoRequest:
		request, err = c.Request()
	case proto.CertificateDoSet:
		err = c.Set(ctx, q.Chain, journal)
	}
	now := c.Status()
	now.Request = request
	var wrong *claim.Problem
	switch {
	case errors.As(err, &wrong):
		now.Problem = foreign.Line(wrong.Sentence)
		return now, nil
	case errors.Is(err, claim.ErrFixed):
		return now, proto.Refuse(proto.CodeFixed)
	case errors.Is(err, claim.ErrBusy):
		return now, proto.Refuse(proto.CodeBusy)
	case err == nil && q.Do != proto.CertificateDoStatus:
		now.Problem = "" // of the camera's own
	}
	return now, err
}
