package main

import (
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// certificateRenew does request and set at once, with an authority at hand.
const certificateRenew = "renew"

type certificateCmd struct {
	Do     string `arg:"positional" help:"status, renew (with the authority in --ca), request (print what an authority is to sign) or set (what it made of that)" default:"status" placeholder:"status|renew|request|set"`
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	CA     string `arg:"--ca" help:"renew: folder of the authority, as camctl ca init or camops pki init made it" placeholder:"DIR"`
	Chain  string `arg:"--chain" help:"set: PEM file with the camera's certificate, and those that lead from it to the authority" placeholder:"FILE"`
}

// Run asks the camera, as an owner.
func (c certificateCmd) Run(env *environment) error {
	if err := c.check(); err != nil {
		return err
	}
	var folder *pki.Folder
	var chain [][]byte
	var err error
	switch c.Do {
	case certificateRenew:
		folder, err = openAuthority(c.CA)
	case string(proto.CertificateDoSet):
		chain, err = readChain(c.Chain)
	}
	if err != nil {
		return err
	}
	camera, err := env.dial(c.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	switch c.Do {
	case string(proto.CertificateDoRequest), certificateRenew:
		asked, err := camera.Certificate(env.ctx, proto.CertificateRequest{Do: proto.CertificateDoRequest})
		if err != nil {
			return err
		}
		if c.Do != certificateRenew { // the authority is on another computer
			return env.Print(asked, "%s", command.Lines(strings.TrimSuffix(string(requestPEM(asked.Request)), "\n")))
		}
		if chain, err = signed(folder, camera.Record().Device, asked.Request); err != nil {
			return err
		}
	case string(proto.CertificateDoStatus):
		now, err := camera.Certificate(env.ctx, proto.CertificateRequest{Do: proto.CertificateDoStatus})
		if err != nil {
			return err
		}
		return env.Print(now, "%s", proto.CertificateWords(now, time.Now()))
	}
	now, err := camera.Certificate(env.ctx, proto.CertificateRequest{Do: proto.CertificateDoSet, Chain: chain})
	if err != nil {
		return err
	}
	return env.Print(now, "The camera tried its new certificate with the broker, and took it: %s.", proto.CertificateWords(now, time.Now()))
}

func (c certificateCmd) check() error {
	set := string(proto.CertificateDoSet)
	switch {
	case !slices.Contains([]string{string(proto.CertificateDoStatus), certificateRenew, string(proto.CertificateDoRequest), set}, c.Do):
		return command.Usage(fmt.Sprintf("certificate is status, renew, request or set, not %q", c.Do))
	case (c.CA != "") != (c.Do == certificateRenew):
		return command.Usage("certificate renew takes --ca, and nothing else does; without the authority's folder use certificate request, and certificate set")
	case (c.Chain != "") != (c.Do == set):
		return command.Usage("certificate set takes --chain, and nothing else does")
	}
	return nil
}

func requestPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// signed has the authority sign a request of the camera want. It must name that one: the
// authority signs for all cameras of its broker.
func signed(folder *pki.Folder, want proto.DeviceID, request []byte) ([][]byte, error) {
	text := requestPEM(request)
	id, err := pki.RequestOf(text)
	if err != nil {
		return nil, fmt.Errorf("the camera's request can't be signed: %w", err)
	}
	if id != want {
		return nil, fmt.Errorf("the camera %s asks for a certificate of another camera, %s: nothing was signed", want, id)
	}
	_, path, err := folder.MakeDevice(text, true)
	if err != nil {
		return nil, err
	}
	return readChain(path)
}
