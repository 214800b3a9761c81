package main

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

// holder is a claimer that answers as the test says.
type holder struct {
	now proto.CertificateStatus
	err error
	did string
}

func (h *holder) Status() proto.CertificateStatus { return h.now }

func (h *holder) Request() ([]byte, error) {
	h.did = "request"
	return []byte("request"), h.err
}

func (h *holder) Set(context.Context, [][]byte, claim.Journal) error {
	h.did = "set"
	return h.err
}

// Why a certificate is not taken is a sentence of the answer; what can't be said by one is
// a code.
func TestAskCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		do      proto.CertificateDo
		err     error
		did     string
		code    proto.Code // of a refusal
		problem string
	}{
		"look":                            {do: proto.CertificateDoStatus, problem: "its own trouble"},
		"ask":                             {do: proto.CertificateDoRequest, did: "request"},
		"give":                            {do: proto.CertificateDoSet, did: "set"},
		"give a bad one":                  {do: proto.CertificateDoSet, err: &claim.Problem{Sentence: "Bad\n."}, did: "set", problem: `Bad\u000a.`},
		"give while another one is tried": {do: proto.CertificateDoSet, err: claim.ErrBusy, did: "set", code: proto.CodeBusy},
		"ask where it can't be replaced":  {do: proto.CertificateDoRequest, err: claim.ErrFixed, did: "request", code: proto.CodeFixed},
		"give unlogged":                   {do: proto.CertificateDoSet, err: proto.Refuse(proto.CodeStorage), did: "set", code: proto.CodeStorage},
	} {
		h := &holder{now: proto.CertificateStatus{From: 1, Until: 2, Problem: "its own trouble"}, err: c.err}
		now, err := askCertificate(t.Context(), h, proto.CertificateRequest{Do: c.do}, nil)
		var refusal *proto.Refusal
		if errors.As(err, &refusal) {
			if refusal.Code != c.code {
				t.Errorf("%s: %s, want %s", name, refusal.Code, c.code)
			}
			continue
		}
		if err != nil || c.code != "" || h.did != c.did || now.Problem != c.problem || (string(now.Request) == "request") != (c.do == proto.CertificateDoRequest) {
			t.Errorf("%s: %+v, %v, did %q", name, now, err, h.did)
		}
	}
}

// An enrolment server that was set up and can't be one keeps camd from nothing; one of the
// configuration is an error in it.
func TestEnrolmentServers(t *testing.T) {
	ca, err := pki.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	device := proto.NewDeviceID()
	cert, err := ca.Device(device, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := claim.File{Path: filepath.Join(t.TempDir(), "operational.crt")}
	if err := os.WriteFile(file.Path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  claim.Config
		own  *proto.EST
		good bool
	}{
		"none":                           {claim.Config{}, nil, true},
		"set up, nothing to know it by":  {claim.Config{}, &proto.EST{URL: "https://est.example"}, true},
		"set up, no address":             {claim.Config{}, &proto.EST{URL: "est"}, true},
		"configured, nothing to know by": {claim.Config{URL: "https://est.example"}, nil, false},
		"configured, no address":         {claim.Config{URL: "est"}, &proto.EST{URL: "https://est.example"}, false},
	} {
		log := slog.New(slog.DiscardHandler)
		board := health.NewBoard(log)
		_, err := newClaim(c.cfg, c.own, log, board, device, claim.Deps{Keeper: file})
		var coded *codedError
		if (err == nil) != c.good || err != nil && (!errors.As(err, &coded) || coded.code != 2) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(board.Snapshot()); c.good != (n == 1) {
			t.Errorf("%s: %d conditions", name, n)
		}
	}
}
