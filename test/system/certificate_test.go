package system

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
	"github.com/camd-project/camd/test/rig"
)

// A camera whose certificate is old, or has ended so that the broker refuses it, gets
// another one from its enrolment server, tries it with the broker, and goes on with it,
// also after a restart.
func TestTheCameraRenewsItsCertificate(t *testing.T) {
	for name, left := range map[string]time.Duration{"old": 30 * time.Minute, "ended": -time.Minute} {
		t.Run(name, func(t *testing.T) { renews(t, left) })
	}
}

func renews(t *testing.T, left time.Duration) {
	s := claimtest.NewServer(t)
	s.Lifetime = 3 * time.Hour
	root := filepath.Join(t.TempDir(), "est.crt")
	if err := os.WriteFile(root, s.Root.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := rig.New(t, fmt.Sprintf("[household]\nclock = \"battery\"\n[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"tone\"\n[enrolment]\nurl = %q\nca = %q\n", s.URL, root))
	s.Signs = claimtest.ReadAuthority(t, filepath.Join(r.PKI, "broker", "ca.crt"), filepath.Join(r.PKI, "ca.key")) // the broker's
	identity := filepath.Join(r.State(), "identity")
	request, err := os.ReadFile(filepath.Join(identity, "device.csr"))
	if err != nil {
		t.Fatal(err)
	}
	_, old, err := r.CA.Between(time.Now().Add(-2*time.Hour), time.Now().Add(left)).CertifyRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(identity, "operational.crt")
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Start()
	renewed := func() bool {
		now, err := r.Status()
		return err == nil && now.Certificate != nil && !now.Certificate.Old(time.Now()) && now.Certificate.Problem == ""
	}
	r.Until("the camera has another certificate", renewed)
	r.Until("the camera is at its broker with it", func() bool { return r.Condition("broker").State == "ok" })
	if asked := fmt.Sprint(s.Asked()); asked != "[simplereenroll cacerts]" {
		t.Errorf("the server was asked for %s", asked)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte("PRIVATE KEY")) {
		t.Errorf("the certificate has no key of its own: %v", err)
	}
	if out, err := r.Run("log"); err != nil || !bytes.Contains(out, []byte("The camera renewed its certificate for the broker, now good until")) {
		t.Errorf("camd log: %v\n%s", err, out)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.Start()
	r.Online()
	if !renewed() {
		t.Error("the certificate did not outlive the restart")
	}
}

// conversation pairs as Anna over the local socket, and sets what talk sets.
func conversation(t *testing.T, r *rig.Rig, keys *home.Keys, talk func(*pairing.Talk) error) (home.Record, error) {
	t.Helper()
	r.OpenWindow("Anna")
	ctx := patient(t)
	conn, err := client.Join(ctx, r.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the pairing may have closed it
	return client.SetUp(ctx, conn, r.Label, keys, nil, func(_ context.Context, t *pairing.Talk) (home.Broker, error) { return r.Login(keys), talk(t) })
}

// signed is what the broker's authority makes of a request.
func signed(t *testing.T, r *rig.Rig, request []byte) [][]byte {
	t.Helper()
	_, text, err := r.CA.CertifyRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return [][]byte{block.Bytes}
}

// A camera out of its box gets its certificate from an enrolment server that its owner
// names with a one-time password, and another one from its owner, which it keeps where it
// keeps what it was set up with.
func TestACertificateOfACameraOutOfItsBox(t *testing.T) {
	r := rig.NewBare(t, "[household]\nclock = \"battery\"\n"+synthetic)
	s := claimtest.NewServerOf(t, claimtest.ReadAuthority(t, filepath.Join(r.PKI, "broker", "ca.crt"), filepath.Join(r.PKI, "ca.key")))
	s.Password("camera", "once")
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	broker := &proto.SetupBroker{URL: r.URL(), CA: string(s.Root.PEM())}
	set := func(settings proto.SetupSettings) (home.Record, error) {
		return conversation(t, r, keys, func(talk *pairing.Talk) error { return talk.Set(settings, nil) })
	}
	if _, err := set(proto.SetupSettings{Broker: broker, EST: &proto.EST{URL: s.URL, User: "camera", Password: "guessed"}}); err == nil || !strings.Contains(err.Error(), "rejects the one-time password") {
		t.Errorf("with another password: %v", err)
	}
	record, err := set(proto.SetupSettings{Broker: broker, EST: &proto.EST{URL: s.URL, User: "camera", Password: "once"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Online()
	anna := r.Dial(keys, record)
	asked, err := anna.Certificate(patient(t), proto.CertificateRequest{Do: proto.CertificateDoRequest})
	if err != nil {
		t.Fatal(err)
	}
	given, err := anna.Certificate(patient(t), proto.CertificateRequest{Do: proto.CertificateDoSet, Chain: signed(t, r, asked.Request)})
	if err != nil || given.Until <= asked.Until {
		t.Fatalf("the owner's: %+v, %v", given, err)
	}
	if _, err := os.Stat(filepath.Join(r.State(), "identity", "operational.crt")); !os.IsNotExist(err) {
		t.Errorf("it does not lie with what was set up: %v", err)
	}
	again := func() {
		t.Helper()
		if err := r.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		r.Start()
		r.Online()
	}
	again()
	if now, err := r.Status(); err != nil || now.Certificate == nil || now.Certificate.Until != given.Until {
		t.Errorf("after a restart: %+v, %v", now.Certificate, err)
	}
	for address, want := range map[string]string{"https://est.example/not-there": "path of the enrolment server's address", "https://est.example": ""} {
		_, err := conversation(t, r, keys, func(talk *pairing.Talk) error {
			reply, err := talk.Ask(proto.SetupDoRequest)
			if err != nil {
				return err
			}
			chain := signed(t, r, reply.Request)
			return talk.Set(proto.SetupSettings{Broker: &proto.SetupBroker{URL: r.URL(), CA: string(s.Root.PEM())}, Chain: chain, EST: &proto.EST{URL: address}}, nil)
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		r.Online()
		again()
	}
}
