package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

func certificatePath(cfg config.Config) string {
	return cmp.Or(cfg.Link.Certificate, filepath.Join(cfg.Device.State, "identity", "operational.crt"))
}

func certificateFile(cfg config.Config, identity auth.Identity) claim.File {
	return claim.File{Path: certificatePath(cfg), Identity: identity.Signer()}
}

// operational is the certificate that the broker's operator made, with its key: the
// identity's, or the one that camd made for it.
func operational(cfg config.Config, identity auth.Identity) (tls.Certificate, error) {
	file := certificateFile(cfg, identity)
	cert, err := file.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("no certificate for the broker at %s: have %s signed by the broker's operator and put the result there",
			file.Path, filepath.Join(cfg.Device.State, "identity", "device.csr"))
	}
	return cert, err
}

// openClaim joins what renews the certificate.
func openClaim(cfg config.Config, log *slog.Logger, board *health.Board, authority *auth.Authority, outward *link.Link) (*claim.Claim, error) {
	c, err := claim.New(cfg.Enrolment, log, board, authority.Identity().DeviceID(), claim.Deps{
		Keeper: certificateFile(cfg, authority.Identity()), Broker: outward, Own: authority.CertificateTaken(nil),
		Clock: claim.Clock(clockOf(cfg)), CA: cfg.Link.CA,
	})
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

// registerCertificate lets members see how long the camera's certificate for its broker
// lasts, and owners give it another one. docs/protocol.md 13.1.
func registerCertificate(g *auth.Gate, c claimer, authority *auth.Authority) {
	g.Handle(proto.OpCertificate, auth.CertificateRule(), func(ctx context.Context, r auth.Request) (auth.Result, error) {
		var q proto.CertificateRequest
		if envelope.Decode(r.Body, &q) != nil {
			return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
		}
		entry := authority.CertificateTaken(&r)
		now, err := askCertificate(ctx, c, q, entry)
		if err != nil {
			return auth.Result{}, err
		}
		res := auth.Result{Body: now}
		if q.Do == proto.CertificateDoSet && now.Problem == "" {
			res.Entry = &entry.Entry
		}
		return res, nil
	})
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

// certificate tells how long the certificate for the broker lasts.
func (r *report) certificate(cfg config.Config, identity auth.Identity) {
	if identity == nil {
		return
	}
	cert, err := operational(cfg, identity)
	if err != nil {
		return // r.broker said so
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		r.fail("certificate", certificatePath(cfg)+" holds a certificate that can't be read")
		return
	}
	now, s := time.Now(), proto.CertificateStatus{From: leaf.NotBefore.Unix(), Until: leaf.NotAfter.Unix()}
	words := proto.CertificateWords(s, now)
	switch {
	case now.Unix() >= s.Until:
		r.fail("certificate", words)
	case s.Old(now):
		r.line("certificate", "?", words)
	default:
		r.line("certificate", "ok", words)
	}
}
