package main

import (
	"crypto/x509"
	"time"

	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
)

// certificate reports how long the certificate for the broker lasts.
func (r *report) certificate(cfg config.Config, id *identity.Identity, own setup.Settings) {
	if id == nil {
		return
	}
	cert, err := operational(cfg, id, own)
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
