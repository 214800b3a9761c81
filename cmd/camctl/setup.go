package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// setupFlags say how a camera reaches its broker.
type setupFlags struct {
	SetUp            bool   `arg:"--set-up" help:"set up a camera that is set up already: give it the broker of --broker"`
	ViewerBroker     string `arg:"--viewer-broker" help:"address of the broker for clients, where it is another than the camera's: mqtts://host:8884 with the files of camctl ca init" placeholder:"URL"`
	WebBroker        string `arg:"--web-broker" help:"address of the broker for clients in browsers: wss://host/mqtt with a household's own server" placeholder:"URL"`
	WiFi             string `arg:"--wifi" help:"name of the Wi-Fi network for the camera" placeholder:"NAME"`
	WiFiPasswordFile string `arg:"--wifi-password-file" help:"file with its password; a dash reads it from standard input" placeholder:"FILE"`
	WiFiHidden       bool   `arg:"--wifi-hidden" help:"the network hides its name"`
	WiFiOpen         bool   `arg:"--wifi-open" help:"join it although it is open: everyone near it can join it"`
	CA               string `arg:"--ca" help:"folder of the household's authority, of camctl ca init, which signs the camera's certificate and this client's login" placeholder:"DIR"`
	EST              string `arg:"--est" help:"enrolment server (RFC 7030) that makes the camera's certificate instead, known by the broker's authority" placeholder:"URL"`
	ESTUser          string `arg:"--est-user" help:"the user that it gave for this camera" placeholder:"NAME"`
	ESTPasswordFile  string `arg:"--est-password-file" help:"file with its one-time password; a dash reads it from standard input (default: it is asked for)" placeholder:"FILE"`
}

// check refuses flags that exclude each other.
func (f setupFlags) check() error {
	switch {
	case f.EST != "" && f.CA != "":
		return command.Usage("--est and --ca are two ways to the camera's certificate; take one")
	case f.EST == "" && (f.ESTUser != "" || f.ESTPasswordFile != ""):
		return command.Usage("--est-user and --est-password-file go with --est")
	case f.WebBroker != "" && !strings.HasPrefix(f.WebBroker, "wss://"):
		return command.Usage("--web-broker begins with wss://, such as wss://cameras.example.org/mqtt")
	case f.WiFi == "" && (f.WiFiPasswordFile != "" || f.WiFiHidden || f.WiFiOpen):
		return command.Usage("--wifi-password-file, --wifi-hidden and --wifi-open go with --wifi")
	}
	return nil
}

// wanted reports whether the flags ask for something to be set, whatever the camera has.
func (f setupFlags) wanted() bool {
	return f.SetUp || f.WiFi != "" || f.CA != "" || f.EST != "" || f.ViewerBroker != "" || f.WebBroker != ""
}

// est returns the enrolment server, or nil if there is none. It asks for the password before
// the conversation, since a camera does not wait for long.
func (f setupFlags) est(env *environment) (e *proto.EST, err error) {
	if f.EST == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	e = &proto.EST{URL: f.EST, User: f.ESTUser}
	if f.ESTPasswordFile != "" {
		e.Password, err = readSecret(f.ESTPasswordFile, env.in, "the one-time password")
		return e, err
	}
	ask := env.questions()
	if ask == nil {
		return nil, command.Usage("there is no terminal at which the one-time password could be asked for; name a file with --est-password-file")
	}
	e.Password, err = ask.password("One-time password of the enrolment server: ")
	return e, err
}

// setUp is the conversation with one camera. docs/protocol.md 3.11.
type setUp struct {
	env    *environment
	flags  setupFlags
	login  home.Broker // as the flags have it
	client proto.ClientID
	device proto.DeviceID
	ask    *questions  // nil: nobody is there to be asked
	est    *proto.EST  // as the flags have it; nil: no server makes the certificate
	wifi   *proto.WiFi // of the flags; nil: they name none
	state  proto.SetupState
}

// prepare reads the files that the flags name, before there is a conversation that a wrong
// name would end: the camera counts failures.
func (s *setUp) prepare() (err error) {
	if s.flags.WiFi != "" {
		if s.wifi, err = s.flags.network(s.env.in); err != nil {
			return err
		}
	}
	if s.flags.CA != "" {
		_, err = openAuthority(s.flags.CA)
	}
	return err
}

// talk sets the camera up if it is not or if the flags ask for it, and returns the login.
func (s *setUp) talk(_ context.Context, t *pairing.Talk) (home.Broker, error) {
	r, err := t.Ask(proto.SetupDoState)
	var problem *proto.SetupProblem
	switch {
	case errors.As(err, &problem): // it can't be set up, or not by this client
		if s.flags.wanted() {
			return s.login, err
		}
		return s.login, t.Set(proto.SetupSettings{}, nil)
	case err != nil:
		return s.login, err
	case r.State != nil:
		s.state = *r.State
	}
	if s.state.Broker && !s.flags.wanted() {
		return s.login, t.Set(proto.SetupSettings{}, nil)
	}
	return s.set(t)
}

// set gives the camera what it lacks.
func (s *setUp) set(t *pairing.Talk) (home.Broker, error) {
	settings, err := s.settings(t)
	if err != nil {
		return s.login, err
	}
	login := s.login
	if settings.Broker != nil { // the camera says from now on where clients meet it
		login.URL, login.CA, login.ServerName = "", "", ""
	}
	var said proto.SetupStep
	progress := func(step proto.SetupStep) { // which comes more than once
		if step != said {
			said = step
			s.env.Note("%s", step.Sentence())
		}
	}
	for {
		err := t.Set(settings, progress)
		var problem *proto.SetupProblem
		if !errors.As(err, &problem) || s.ask == nil || settings.WiFi == nil || !strings.Contains(string(problem.Code), "wifi") {
			return login, err
		}
		s.env.Note("%s", problem.Error())
		if settings.WiFi, err = s.chooseWiFi(t); err != nil {
			return login, err
		}
	}
}

func (s *setUp) settings(t *pairing.Talk) (set proto.SetupSettings, err error) {
	if !s.state.Fixed && (!s.state.Broker || s.flags.SetUp || s.flags.ViewerBroker != "" || s.flags.WebBroker != "") {
		if set.Broker, err = s.broker(); err != nil {
			return set, err
		}
	}
	switch {
	case s.wifi != nil:
		set.WiFi = s.wifi
	case s.state.WiFi && !s.state.Broker && s.ask != nil:
		set.WiFi, err = s.chooseWiFi(t)
	}
	if err == nil && s.flags.CA != "" {
		set.Chain, err = s.certify(t)
	}
	set.EST = s.est
	return set, err
}

// broker returns the broker of the flags, or the one that the person names.
func (s *setUp) broker() (*proto.SetupBroker, error) {
	b := &proto.SetupBroker{URL: s.login.URL, ViewerURL: s.flags.ViewerBroker, WebURL: s.flags.WebBroker, ServerName: s.login.ServerName, CA: s.login.CA}
	if b.URL == "" && s.ask == nil {
		return nil, errors.New("the camera is not set up yet. Name its broker with --broker and --viewer-broker, and the folder of its authority with --ca or, where an operator has signed for the camera, that authority's certificate with --broker-ca")
	}
	var err error
	if b.URL == "" {
		if b.URL, err = s.ask.line("Address of the broker, mqtts://host:port: "); err != nil {
			return nil, err
		}
		if b.ViewerURL == "" {
			if b.ViewerURL, err = s.ask.line("Its address for clients, if it is another one: "); err != nil {
				return nil, err
			}
		}
	}
	if b.CA == "" && s.flags.CA == "" && s.est == nil && s.ask != nil && s.login.URL == "" {
		if s.flags.CA, err = s.ask.line("Folder of your own authority, of camctl ca init; empty if an operator has signed for the camera: "); err != nil {
			return nil, err
		}
	}
	if b.CA == "" && s.flags.CA != "" {
		data, err := os.ReadFile(filepath.Join(s.flags.CA, "broker", "ca.crt"))
		if err != nil {
			return nil, fmt.Errorf("the authority's certificate can't be read: %w", err)
		}
		b.CA = string(data)
	}
	if b.CA == "" && s.ask != nil && s.login.URL == "" {
		path, err := s.ask.line("File with the broker's authority, empty for any public one: ")
		if err != nil || path == "" {
			return b, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("the broker's authority can't be read: %w", err)
		}
		b.CA = string(data)
	}
	return b, nil
}

// network returns the Wi-Fi network of the flags.
func (f setupFlags) network(in io.Reader) (w *proto.WiFi, err error) {
	w = &proto.WiFi{SSID: proto.SSID(f.WiFi), Hidden: f.WiFiHidden, OpenOK: f.WiFiOpen}
	if f.WiFiPasswordFile != "" {
		w.Password, err = readSecret(f.WiFiPasswordFile, in, "the Wi-Fi password")
	}
	return w, err
}

// chooseWiFi lets a person choose one of the networks that the camera hears. No answer
// means a cable.
func (s *setUp) chooseWiFi(t *pairing.Talk) (*proto.WiFi, error) {
	s.env.Note("The camera looks for Wi-Fi networks.")
	r, err := t.Ask(proto.SetupDoNetworks)
	var problem *proto.SetupProblem
	if errors.As(err, &problem) {
		s.env.Note("%s", problem.Error())
		return nil, nil //nolint:nilnil // a cable
	}
	if err != nil {
		return nil, err
	}
	for i, n := range r.Networks {
		s.env.Note("%3d  %s, %s, %s GHz, %d dBm", i+1, foreign.Name(string(n.SSID)), n.Security, foreign.Line(n.Band), n.Signal)
	}
	answer, err := s.ask.line("Number of the Wi-Fi network, or its name; empty for a cable: ")
	if err != nil || answer == "" {
		return nil, err
	}
	w := &proto.WiFi{SSID: proto.SSID(answer), Hidden: true}
	if i, err := strconv.Atoi(answer); err == nil && i >= 1 && i <= len(r.Networks) {
		w = &proto.WiFi{SSID: r.Networks[i-1].SSID, Security: r.Networks[i-1].Security}
	}
	if w.Security == proto.SecurityOpen {
		answer, err := s.ask.line("This network is open: everyone near it can be in it. Join it all the same? [y/N] ")
		w.OpenOK = strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
		return w, err
	}
	w.Password, err = s.ask.password("Its password: ")
	return w, err
}

// certify has the household's authority sign the camera's request, and make this client's
// login. It signs for the camera of the label only: a camera that asks in another one's name
// could take its place at the broker.
func (s *setUp) certify(t *pairing.Talk) ([][]byte, error) {
	r, err := t.Ask(proto.SetupDoRequest)
	if err != nil {
		return nil, err
	}
	request, err := x509.ParseCertificateRequest(r.Request)
	if err != nil || request.Subject.CommonName != string(s.device) {
		return nil, errors.New("the camera asks for a certificate that is not its own, so none was made. Look whether it is what its label says")
	}
	folder, err := openAuthority(s.flags.CA)
	if err != nil {
		return nil, err
	}
	_, path, err := folder.MakeDevice(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.Request}), true)
	if err != nil {
		return nil, err
	}
	chain, err := readChain(path)
	if err != nil {
		return nil, err
	}
	return chain, s.ownLogin(folder)
}

// ownLogin has the authority make this client's login, unless the flags name one.
func (s *setUp) ownLogin(folder *pki.Folder) error {
	if s.login.Certificate != "" || s.login.User != "" {
		return nil
	}
	path, err := folder.MakeMember(s.client, false, s.device)
	switch {
	case err == nil:
		s.env.Note("On the broker's machine put %s in the place of the one that is there, and have the broker read it again: then you see whether the camera is online.", folder.Path("broker", "viewers.acl"))
	case !errors.Is(err, pki.ErrExists):
		return err
	}
	text, err := os.ReadFile(cmp.Or(path, folder.Path("logins", string(s.client)+".pem")))
	if err != nil {
		return fmt.Errorf("this client's login can't be read: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			s.login.Certificate += string(pem.EncodeToMemory(block))
		} else {
			s.login.Key += string(pem.EncodeToMemory(block))
		}
	}
	return s.login.CheckFor(s.client)
}
