package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

// What the configuration names goes before what was set up.
func TestReach(t *testing.T) {
	own := setup.Settings{Broker: &proto.SetupBroker{URL: "mqtts://own", ViewerURL: "mqtts://viewers", WebURL: "wss://browsers", ServerName: "name", CA: "authority"}}
	for name, c := range map[string]struct {
		cfg  link.Config
		own  setup.Settings
		want link.Config
	}{
		"neither":         {link.Config{}, setup.Settings{}, link.Config{}},
		"set up":          {link.Config{KeepaliveSeconds: 7}, own, link.Config{KeepaliveSeconds: 7, Broker: "mqtts://own", ViewerBroker: "mqtts://viewers", WebBroker: "wss://browsers", ServerName: "name", CAText: "authority"}},
		"configured":      {link.Config{Broker: "mqtts://file"}, own, link.Config{Broker: "mqtts://file"}},
		"in part":         {link.Config{CA: "/ca", ServerName: "file"}, own, link.Config{Broker: "mqtts://own", ViewerBroker: "mqtts://viewers", WebBroker: "wss://browsers", ServerName: "file", CA: "/ca"}},
		"viewers by file": {link.Config{ViewerBroker: "mqtts://file"}, own, link.Config{Broker: "mqtts://own", ViewerBroker: "mqtts://file", WebBroker: "wss://browsers", ServerName: "name", CAText: "authority"}},
	} {
		if got := reach(c.cfg, c.own); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// What was set up is shown, unless the configuration names a file.
func TestOperational(t *testing.T) {
	cfg := config.Default()
	cfg.Device.State = t.TempDir()
	id := newIdentity(t, cfg)
	_, own := certified(t, id)
	if cert, err := operational(cfg, id, own); err != nil || string(cert.Certificate[0]) != string(own.Chain[0]) {
		t.Errorf("set up: %+v, %v", cert, err)
	}
	if _, err := operational(cfg, id, setup.Settings{}); err == nil || !strings.Contains(err.Error(), requestPath(cfg.Device.State)) {
		t.Errorf("neither: %v", err)
	}
	cfg.Link.Certificate = filepath.Join(t.TempDir(), "nowhere")
	if _, err := operational(cfg, id, own); err == nil {
		t.Error("the configuration's file does not go before it")
	}
}

// Of what was set up and what lies beside the identity goes what was given last.
func TestWhichCertificateGoesFirst(t *testing.T) {
	cfg := config.Default()
	cfg.Device.State = t.TempDir()
	id := newIdentity(t, cfg)
	ca, own := certified(t, id)
	put := func() (name string) {
		t.Helper()
		cert, err := ca.Device(id.DeviceID(), id.Signer())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(certificatePath(cfg), pki.CertificatePEM(cert), 0o600); err != nil {
			t.Fatal(err)
		}
		return supplied(cfg, id)
	}
	if supplied(cfg, id) != "" {
		t.Error("what is not there has a name")
	}
	first := put()
	second := put()
	if first == "" || first == second {
		t.Fatalf("named %q and %q", first, second)
	}
	household := &proto.SetupBroker{URL: "mqtts://household"}
	for name, c := range map[string]struct {
		over   string
		own    *proto.SetupBroker // that it was set up with
		broker string             // of the configuration
		want   bool
	}{
		"set up over it":                       {second, household, "", true},
		"put there since":                      {first, household, "", false},
		"put there since, and none was before": {setup.OverNone, household, "", false},
		"set up before camd noted that":        {"", household, "", true},
		"for the configuration's broker":       {second, nil, "mqtts://operator", true},
		"for another broker":                   {second, household, "mqtts://operator", false},
	} {
		cfg.Link.Broker = c.broker
		own.Over, own.Broker = c.over, c.own
		cert, err := operational(cfg, id, own)
		if err != nil || usesSetupCertificate(cfg, id, own) != c.want || (string(cert.Certificate[0]) == string(own.Chain[0])) != c.want {
			t.Errorf("%s: %v, what was set up goes first: %v", name, err, usesSetupCertificate(cfg, id, own))
		}
	}
	if err := os.WriteFile(certificatePath(cfg), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !usesSetupCertificate(cfg, id, own) {
		t.Error("a damaged file goes first")
	}
}

func newIdentity(t *testing.T, cfg config.Config) *identity.Identity {
	t.Helper()
	if _, err := identity.Init(cfg.Device.State, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	id, err := identity.Load(cfg.Device.State, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// certified is an authority, and settings with a certificate that it made.
func certified(t *testing.T, id *identity.Identity) (*pki.CA, setup.Settings) {
	t.Helper()
	ca, err := pki.NewCA("household")
	if err != nil {
		t.Fatal(err)
	}
	key, err := claim.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Device(id.DeviceID(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return ca, setup.Settings{Chain: cert.Certificate, Key: der}
}

// A trial's errors are problems that a person can read.
func TestTrialProblems(t *testing.T) {
	cfg := config.Default()
	cfg.Device.State = t.TempDir()
	id := newIdentity(t, cfg)
	ca, own := certified(t, id)
	broker := &proto.SetupBroker{URL: "mqtts://127.0.0.1:1", CA: string(ca.PEM())}
	with := func(b *proto.SetupBroker) setup.Settings {
		own := own
		own.Broker = b
		return own
	}
	for name, c := range map[string]struct {
		own  setup.Settings
		code proto.Code
	}{
		"no certificate": {setup.Settings{Broker: broker}, proto.CodeCertificate},
		"nobody there":   {with(broker), proto.CodeBrokerUnreachable},
		"no authority":   {with(&proto.SetupBroker{URL: "mqtts://127.0.0.1:1", CA: "x"}), proto.CodeBrokerCertificate},
	} {
		err := trial{cfg, id}.Try(t.Context(), c.own)
		var p *proto.SetupProblem
		if !errors.As(err, &p) || p.Code != c.code || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (trial{cfg, id}).Try(ctx, with(broker)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// reached is a broker that does not work at first.
type reached struct{ tries int }

func (r *reached) Try(context.Context, setup.Settings) error {
	if r.tries++; r.tries == 1 {
		return &proto.SetupProblem{Code: proto.CodeBrokerUnreachable}
	}
	return nil
}

// A real enrolment server takes a password once. A broker that does not work at first costs
// no other.
func TestAOneTimePasswordIsSpentOnce(t *testing.T) {
	cfg := config.Default()
	cfg.Device.State = t.TempDir()
	authority, err := identity.Init(cfg.Device.State, identity.TPM{Use: identity.TPMOff})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Device.State, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	server := claimtest.NewServer(t)
	server.Password("camera", "once")
	own, err := setup.Open(t.Context(), setupConfig(cfg, authority, func(context.Context, string) error { return nil }), slog.New(slog.DiscardHandler), setup.Deps{
		Broker: &reached{}, Claim: certifier{authority.DeviceID(), claim.Clock(clockOf(cfg)), ""}, Supplied: func() string { return "" },
		Member: func(proto.ClientID) bool { return false }, Window: t.Context, Again: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close() //nolint:errcheck // the test has ended
	set := proto.SetupSettings{Broker: &proto.SetupBroker{URL: "mqtts://broker", CA: string(server.Root.PEM())},
		EST: &proto.EST{URL: server.URL, User: "camera", Password: "once"}}
	for i, want := range []proto.Code{proto.CodeBrokerUnreachable, ""} {
		err := own.Apply(t.Context(), "client", set, func(proto.SetupStep) {}, func() error { return nil })
		var problem *proto.SetupProblem
		if want == "" && err != nil || want != "" && (!errors.As(err, &problem) || problem.Code != want) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if asked := fmt.Sprint(server.Asked()); asked != "[simpleenroll cacerts]" || len(own.Settings().Chain) == 0 {
		t.Errorf("asked for %s, kept %d certificates", asked, len(own.Settings().Chain))
	}
}
