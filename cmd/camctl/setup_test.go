package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// box is a camera that camctl sets up.
type box struct {
	t         *testing.T
	authority *auth.Authority
	names     proto.DeviceID // in its request; empty: its own
	state     proto.SetupState
	asked     []proto.SetupDo
	typed     string // by who sits at the terminal; empty: nobody does
	set       []proto.SetupSettings
	networks  []proto.Network     // nil: it has no Wi-Fi
	password  proto.Secret        // that its network takes; empty: any
	problem   *proto.SetupProblem // of the next settings
}

func newBox(t *testing.T) *box {
	t.Helper()
	state := t.TempDir()
	if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	b := &box{t: t}
	log := slog.New(slog.DiscardHandler)
	var err error
	b.authority, err = auth.Open(t.Context(), auth.Config{State: state, Household: auth.DefaultHousehold(), Check: func(_ context.Context, path string) error { return store.CheckFile(path) },
		Broker: func(proto.ClientID) envelope.BrokerLogin {
			l := envelope.BrokerLogin{URL: "mqtts://before"}
			if n := len(b.set); n > 0 && b.set[n-1].Broker != nil {
				l.URL, l.CA = b.set[n-1].Broker.URL, b.set[n-1].Broker.CA
			}
			return l
		}}, log, health.NewBoard(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.authority.Close() })
	b.authority.NewGate(auth.Deps{Provisioner: b})
	return b
}

func (b *box) Ask(_ context.Context, ask proto.SetupAsk) (proto.SetupReply, error) {
	b.asked = append(b.asked, ask.Do)
	switch ask.Do {
	case proto.SetupDoState:
		return proto.SetupReply{State: &b.state}, nil
	case proto.SetupDoRequest:
		name := b.names
		if name == "" {
			name = b.authority.Identity().DeviceID()
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return proto.SetupReply{}, err
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(name)},
			URIs: []*url.URL{{Scheme: "urn", Opaque: "camd:device:" + string(name)}}}, key)
		return proto.SetupReply{Request: der, Subject: string(name)}, err
	}
	if b.networks != nil {
		return proto.SetupReply{Networks: b.networks}, nil
	}
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeNoWiFi}
}

func (b *box) Apply(_ context.Context, _ proto.ClientID, s proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error {
	b.set = append(b.set, s)
	progress(proto.StepBroker)
	if b.problem != nil {
		return b.problem
	}
	if s.WiFi != nil && b.password != "" && s.WiFi.Password != b.password {
		return &proto.SetupProblem{Code: proto.CodeWiFiPassword}
	}
	return enroll()
}

func (*box) Settled() {}

// pair runs the conversation of camctl pair with these flags.
func (b *box) pair(flags setupFlags, login home.Broker) (home.Record, string, error) {
	b.t.Helper()
	if err := b.authority.OpenWindow(1e11, "Anna"); err != nil {
		b.t.Fatal(err)
	}
	keys, err := home.NewKeys()
	if err != nil {
		b.t.Fatal(err)
	}
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.authority.Join(b.t.Context(), pairing.NewFramed(there)) // the client's error counts
		_ = there.Close()
	}()
	var said bytes.Buffer
	label := b.authority.Identity().Label()
	env := &environment{ctx: b.t.Context(), in: strings.NewReader("correct horse\n"), Output: command.Output{ErrOut: &said}}
	est, err := flags.est(env)
	if err != nil {
		b.t.Fatal(err)
	}
	s := &setUp{env: env, flags: flags, login: login, client: keys.ID(), device: label.Device, est: est}
	if b.typed != "" {
		s.ask = &questions{env: s.env, in: bufio.NewReader(strings.NewReader(b.typed)), tty: -1}
	}
	if err := s.prepare(); err != nil {
		b.t.Fatal(err)
	}
	r, err := client.SetUp(b.t.Context(), pairing.NewFramed(here), label, keys, nil, s.talk)
	_ = here.Close()
	<-done
	return r, said.String(), err
}

func household(t *testing.T) *pki.Folder {
	t.Helper()
	f, err := pki.Create(filepath.Join(t.TempDir(), "pki"), "household")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSettingUpByFlags(t *testing.T) {
	b, folder := newBox(t), household(t)
	r, said, err := b.pair(setupFlags{CA: folder.Path(), ViewerBroker: "mqtts://b:8884", WebBroker: "wss://b/mqtt", WiFi: "home", WiFiPasswordFile: "-", WiFiHidden: true}, home.Broker{URL: "mqtts://b"})
	if err != nil {
		t.Fatal(err, said)
	}
	ca, err := os.ReadFile(folder.Path("broker", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	set := b.set[0]
	if want := (&proto.SetupBroker{URL: "mqtts://b", ViewerURL: "mqtts://b:8884", WebURL: "wss://b/mqtt", CA: string(ca)}); !reflect.DeepEqual(set.Broker, want) {
		t.Errorf("broker %+v", set.Broker)
	}
	if want := (&proto.WiFi{SSID: "home", Password: "correct horse", Hidden: true}); !reflect.DeepEqual(set.WiFi, want) {
		t.Errorf("Wi-Fi %+v", set.WiFi)
	}
	leaf, err := x509.ParseCertificate(set.Chain[0])
	if err != nil || leaf.Subject.CommonName != string(r.Device) {
		t.Errorf("certificate of %+v, %v", leaf, err)
	}
	if r.Broker.URL != "mqtts://b" || r.Broker.CA != string(ca) || r.Broker.Certificate == "" || r.Broker.Key == "" {
		t.Errorf("kept: URL %q, certificate %q", r.Broker.URL, r.Broker.Certificate)
	}
	for _, word := range []string{"viewers.acl", "connecting to its broker."} {
		if !strings.Contains(said, word) {
			t.Errorf("said %q, want %q in it", said, word)
		}
	}
}

// An enrolment server makes the certificate, by a password that is good once.
func TestSettingUpByAnEnrolmentServer(t *testing.T) {
	b := newBox(t)
	flags := setupFlags{EST: "https://est.example", ESTUser: "camera", ESTPasswordFile: "-"}
	if _, said, err := b.pair(flags, home.Broker{URL: "mqtts://b", CA: "authority"}); err != nil {
		t.Fatal(err, said)
	}
	if want := (&proto.EST{URL: "https://est.example", User: "camera", Password: "correct horse"}); len(b.set) != 1 || !reflect.DeepEqual(b.set[0].EST, want) {
		t.Errorf("set %v", b.set)
	}
	for name, f := range map[string]setupFlags{
		"two ways":      {EST: "https://est.example", CA: "camd-pki"},
		"a user alone":  {ESTUser: "camera"},
		"a file alone":  {ESTPasswordFile: "-"},
		"nobody to ask": {EST: "https://est.example"},
		"no such file":  {EST: "https://est.example", ESTPasswordFile: filepath.Join(t.TempDir(), "nowhere")},
	} {
		err := f.check()
		if err == nil {
			_, err = f.est(&environment{in: strings.NewReader("")})
		}
		if wrong := command.Usage(""); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who sits at a terminal is asked for what is not named, and again for a password that the
// network does not take.
func TestSettingUpByQuestions(t *testing.T) {
	hidden := proto.WiFi{SSID: "attic", Hidden: true, Password: "hidden horse"}
	for name, c := range map[string]struct {
		typed string
		want  []*proto.WiFi
	}{
		"a number":    {"mqtts://b\n\n\n\n2\n correct horse \n", []*proto.WiFi{{SSID: "home", Security: proto.SecurityWPA2, Password: " correct horse "}}},
		"a name":      {"mqtts://b\n\n\n\nattic\nhidden horse\n", []*proto.WiFi{&hidden}},
		"a cable":     {"mqtts://b\n\n\n\n\n", []*proto.WiFi{nil}},
		"open, meant": {"mqtts://b\n\n\n\n1\nyes\n", []*proto.WiFi{{SSID: "of\u202e fice", Security: proto.SecurityOpen, OpenOK: true}}},
		"open, not":   {"mqtts://b\n\n\n\n1\n\n", []*proto.WiFi{{SSID: "of\u202e fice", Security: proto.SecurityOpen}}},
		"twice": {"mqtts://b\n\n\n\n2\nwrong horse\n2\ncorrect horse\n", []*proto.WiFi{
			{SSID: "home", Security: proto.SecurityWPA2, Password: "wrong horse"}, {SSID: "home", Security: proto.SecurityWPA2, Password: "correct horse"}}},
	} {
		b := newBox(t)
		b.typed, b.state = c.typed, proto.SetupState{WiFi: true}
		b.networks = []proto.Network{{SSID: "of\u202e fice", Security: proto.SecurityOpen, Signal: -40, Band: "5"}, {SSID: "home", Security: proto.SecurityWPA2, Signal: -60, Band: "2.4"}}
		if name == "twice" {
			b.password = "correct horse"
		}
		_, said, err := b.pair(setupFlags{}, home.Broker{})
		var got []*proto.WiFi
		for _, s := range b.set {
			got = append(got, s.WiFi)
			if s.Broker == nil || s.Broker.URL != "mqtts://b" {
				t.Errorf("%s: broker %+v", name, s.Broker)
			}
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, set %d times, the last %+v", name, err, len(got), got[max(0, len(got)-1):])
		}
		for _, line := range []string{`  1  "of\u202e fice", open, 5 GHz, -40 dBm`, `  2  "home", wpa2, 2.4 GHz, -60 dBm`} {
			if !strings.Contains(said, line) {
				t.Errorf("%s: said %q, want the line %q", name, said, line)
			}
		}
		if strings.Contains(said, "horse") {
			t.Errorf("%s: said %q", name, said)
		}
	}
}

// What can't be read ends a pairing before the camera is asked: it counts those that end later.
func TestFilesAreReadFirst(t *testing.T) {
	h, err := home.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for want, flags := range map[string]setupFlags{
		"Wi-Fi password": {WiFi: "home", WiFiPasswordFile: nowhere},
		"camctl ca init": {CA: nowhere},
	} {
		asked := false
		at := func(context.Context, labelOf) (pairing.Conn, io.Closer, proto.DeviceID, error) {
			asked = true
			return nil, nil, "", errors.New("no camera")
		}
		_, err := pairAt(t.Context(), h, at, nil, "", &setUp{env: &environment{ctx: t.Context()}, flags: flags})
		if err == nil || !strings.Contains(err.Error(), want) || asked {
			t.Errorf("%v, want something of %q; the camera was asked: %v", err, want, asked)
		}
	}
}

// Where a household has an authority of its own, its folder is all that is to be named.
func TestTheAuthorityIsAskedFor(t *testing.T) {
	b, folder := newBox(t), household(t)
	b.typed = "mqtts://b\nmqtts://b:8884\n" + folder.Path() + "\n"
	if _, said, err := b.pair(setupFlags{}, home.Broker{}); err != nil || len(b.set) != 1 || len(b.set[0].Chain) == 0 || b.set[0].Broker.CA == "" || len(folder.Devices()) != 1 {
		t.Errorf("%v, set %+v, signed for %q\n%s", err, b.set, folder.Devices(), said)
	}
}

// A camera that asks in another's name could take that one's place at the broker.
func TestOnlyTheCameraOfTheLabelIsSigned(t *testing.T) {
	b, folder := newBox(t), household(t)
	b.names = proto.NewDeviceID()
	if _, _, err := b.pair(setupFlags{CA: folder.Path()}, home.Broker{URL: "mqtts://b"}); err == nil || !strings.Contains(err.Error(), "not its own") || len(folder.Devices()) > 0 || len(b.set) > 0 {
		t.Errorf("%v, signed for %q", err, folder.Devices())
	}
}

// A camera that has its broker is paired as ever, unless something is to be set.
func TestACameraThatIsSetUp(t *testing.T) {
	for name, c := range map[string]struct {
		state proto.SetupState
		flags setupFlags
		login home.Broker
		want  []proto.SetupSettings
		url   string
	}{
		"nothing to set":    {proto.SetupState{Broker: true}, setupFlags{}, home.Broker{}, nil, "mqtts://before"},
		"the client's own":  {proto.SetupState{Broker: true, Fixed: true}, setupFlags{}, home.Broker{URL: "mqtts://mine"}, nil, "mqtts://mine"},
		"set up again":      {proto.SetupState{Broker: true}, setupFlags{SetUp: true}, home.Broker{URL: "mqtts://new"}, []proto.SetupSettings{{Broker: &proto.SetupBroker{URL: "mqtts://new"}}}, "mqtts://new"},
		"Wi-Fi alone":       {proto.SetupState{Broker: true, WiFi: true}, setupFlags{WiFi: "home", WiFiOpen: true}, home.Broker{}, []proto.SetupSettings{{WiFi: &proto.WiFi{SSID: "home", OpenOK: true}}}, "mqtts://before"},
		"Wi-Fi, when fixed": {proto.SetupState{Broker: true, Fixed: true, WiFi: true}, setupFlags{WiFi: "home"}, home.Broker{URL: "mqtts://mine"}, []proto.SetupSettings{{WiFi: &proto.WiFi{SSID: "home"}}}, "mqtts://mine"},
	} {
		b := newBox(t)
		b.state = c.state
		r, _, err := b.pair(c.flags, c.login)
		if err != nil || !reflect.DeepEqual(b.set, c.want) || r.Broker.URL != c.url {
			t.Errorf("%s: %v, set %+v, kept %q", name, err, b.set, r.Broker.URL)
		}
	}
}

func TestWhatTheCameraSaysIsWrong(t *testing.T) {
	b := newBox(t)
	if _, _, err := b.pair(setupFlags{}, home.Broker{}); err == nil || !strings.Contains(err.Error(), "Name its broker with --broker") {
		t.Errorf("nothing named: %v", err)
	}
	b.problem = &proto.SetupProblem{Code: proto.CodeBrokerUnreachable, Detail: "Nobody\nis there."}
	if _, _, err := b.pair(setupFlags{}, home.Broker{URL: "mqtts://b"}); err == nil || err.Error() != `Nobody\u000ais there.` {
		t.Errorf("a problem: %v", err)
	}
}
