package setup

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

// enrolTime bounds the time of an enrolment server.
const enrolTime = time.Minute

// made is a certificate that an enrolment server has made. Its one-time password is spent,
// and other settings may have failed, so the certificate is used again if the same client
// sets the same in this pairing window. It is kept in memory until the window closes.
type made struct {
	client proto.ClientID
	est    proto.EST
	key    crypto.Signer
	chain  [][]byte
}

// enrol gets the certificate from a server, unless it has made one for this client.
func (s *Setup) enrol(ctx context.Context, client proto.ClientID, est proto.EST, next *Settings) error {
	s.mu.Lock()
	m := s.made
	s.mu.Unlock()
	if m == nil || m.client != client || m.est != est {
		var err error
		if m, err = s.make(ctx, est, next); err != nil {
			return err
		}
		m.client, m.est = client, est
		s.mu.Lock()
		s.made = m
		s.mu.Unlock()
		context.AfterFunc(s.deps.Window(), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.made == m {
				s.made = nil
			}
		})
	}
	return s.certified(next, m.key, m.chain)
}

func (s *Setup) make(ctx context.Context, est proto.EST, next *Settings) (*made, error) {
	ctx, cancel := context.WithTimeout(ctx, enrolTime)
	defer cancel()
	key, request, err := s.deps.Claim.NewRequest()
	if err != nil {
		return nil, err
	}
	caText := ""
	if next.Broker != nil {
		caText = next.Broker.CA
	}
	chain, err := s.deps.Claim.Enroll(ctx, est, caText, request)
	var wrong *claim.Problem
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return nil, &proto.SetupProblem{Code: proto.CodeClockWrong} // the password has not left the camera
	case errors.As(err, &wrong):
		return nil, &proto.SetupProblem{Code: proto.CodeCertificate, Detail: wrong.Sentence}
	case err != nil:
		return nil, err
	}
	return &made{key: key, chain: chain}, nil
}
