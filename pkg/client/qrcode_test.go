package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
)

func TestACodeSaysWhatIsSet(t *testing.T) {
	d := newDevice(t)
	keys := must(home.NewKeys())
	set := proto.SetupSettings{
		WiFi:   &proto.WiFi{SSID: "\xff home", Password: "correct horse", Hidden: true, OpenOK: true},
		Broker: &proto.SetupBroker{URL: "mqtts://broker:8883", ViewerURL: "mqtts://broker:8884", ServerName: "home", CA: string(d.ca.PEM())},
		EST:    &proto.EST{URL: "https://est", User: "camera", Password: "once"},
	}
	sealed, err := NewCode(d.label, keys, set)
	if err != nil {
		t.Fatal(err)
	}
	b, err := code.Open(d.label.Secret, d.id, sealed)
	if err != nil {
		t.Fatal(err)
	}
	card, err := envelope.ShortCard{Sig: b.Sig, Enc: b.Enc, Signature: b.Proof}.Long()
	if err != nil {
		t.Fatal(err)
	}
	if key, err := envelope.VerifyKeyCard(card); err != nil || key.ClientID() != keys.ID() {
		t.Errorf("the card is of %s, %v", key.ClientID(), err)
	}
	if string(b.WiFi.SSID) != string(set.WiFi.SSID) || b.WiFi.Password != set.WiFi.Password || !b.WiFi.Hidden || !b.WiFi.OpenOK ||
		b.Broker.URL != set.Broker.URL || b.Broker.ViewerURL != set.Broker.ViewerURL || b.Broker.ServerName != "home" || len(b.Broker.CA) == 0 ||
		b.EST.URL != set.EST.URL || b.EST.User != "camera" || b.EST.Password != "once" {
		t.Errorf("%+v, %+v, %+v", b.WiFi, b.Broker, b.EST)
	}
	cert := must(d.ca.Device(d.id, nil))
	login := proto.SetupSettings{Chain: cert.Certificate, Key: must(x509.MarshalPKCS8PrivateKey(cert.PrivateKey))}
	b, err = code.Open(d.label.Secret, d.id, must(NewCode(d.label, keys, login)))
	if err != nil || b.Broker != nil || b.WiFi != nil || len(b.Login.Chain) != 1 ||
		!must(ecdsa.ParseRawPrivateKey(elliptic.P256(), b.Login.Key)).Equal(cert.PrivateKey) {
		t.Errorf("a certificate and its key: %v", err)
	}
	login.Key = nil
	if _, err := NewCode(d.label, keys, login); err == nil {
		t.Error("a certificate without its key fits a code")
	}
	for name, ca := range map[string]string{"no certificate": "x", "two": string(d.ca.PEM()) + string(d.ca.PEM())} {
		if _, err := NewCode(d.label, keys, proto.SetupSettings{Broker: &proto.SetupBroker{URL: "mqtts://b", CA: ca}}); err == nil {
			t.Errorf("an authority that is %s fits a code", name)
		}
	}
}

// waiting is a client that has shown a code to d.
func (d *device) waiting(keys *home.Keys) (*CodePairing, Code) {
	d.t.Helper()
	login := d.login(keys.ID())
	login.URL, login.CA = "mqtts://"+d.broker.Address(), string(d.ca.PEM())
	a, err := StartCodePairing(d.t.Context(), d.label, keys, login, quiet)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(a.Close)
	return a, must(NewCode(d.label, keys, proto.SetupSettings{}))
}

// confirm has the device, or who takes its place, answer a code.
func (d *device) confirm(keys *home.Keys, sealed Code, change func(*pairing.Device)) {
	d.t.Helper()
	d.wait(d.mqtt.Publish(proto.TopicOut(d.id, keys.ID()), 0, false, d.confirmation(keys, sealed, change)))
}

func (d *device) confirmation(keys *home.Keys, sealed Code, change func(*pairing.Device)) []byte {
	d.t.Helper()
	p := pairing.Device{ID: d.id, Identity: d.identity.PrivateKey.(*ecdsa.PrivateKey), Chain: d.identity.Certificate, Trio: d.trio, Epoch: 1, Household: d.hhSig}
	if change != nil {
		change(&p)
	}
	key := must(envelope.VerifyKeyCard(must(keys.Card())))
	return must(p.Confirm(sealed.Hash(), key, pairing.Receipt{Role: proto.RoleOwner, Name: "Anna", Broker: envelope.BrokerLogin{URL: "mqtts://said"}}))
}

func TestReceiptOfACode(t *testing.T) {
	d := newDevice(t)
	d.log = d.newLog("Anna")
	d.connect()
	keys := must(home.NewKeys())
	a, sealed := d.waiting(keys)
	other := must(NewCode(d.label, keys, proto.SetupSettings{}))
	d.confirm(keys, other, nil) // of an earlier code
	d.wait(d.mqtt.Publish(proto.TopicOut(d.id, keys.ID()), 0, false, "garbage"))
	d.confirm(keys, sealed, func(p *pairing.Device) { // somebody who has seen the code
		impostor := newDevice(t)
		p.Identity, p.Chain = impostor.identity.PrivateKey.(*ecdsa.PrivateKey), impostor.identity.Certificate
	})
	d.confirm(keys, sealed, nil)
	r, err := a.Wait(t.Context(), sealed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != d.id || r.Member != "Anna" || r.Role != proto.RoleOwner || r.Broker.Said != "mqtts://said" || r.Broker.Certificate == "" {
		t.Errorf("%+v", r)
	}
	d.client = must(envelope.VerifyKeyCard(must(keys.Card())))
	c, err := Dial(t.Context(), nil, keys, r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Error(err)
	}
}

// Nothing counts as paired before the identity key is the label's, and what isn't known is
// said.
func TestCodeThatIsNotAnswered(t *testing.T) {
	d := newDevice(t)
	for name, c := range map[string]struct {
		change func(*pairing.Device)
		want   string
	}{
		"nobody": {nil, "can't know"},
		"an impostor": {func(p *pairing.Device) {
			impostor := newDevice(t)
			p.Identity, p.Chain = impostor.identity.PrivateKey.(*ecdsa.PrivateKey), impostor.identity.Certificate
		}, "not the camera on the label"},
		"another household": {func(p *pairing.Device) { p.Household = newDevice(t).hhSig }, "can't be verified"},
	} {
		keys := must(home.NewKeys())
		a, sealed := d.waiting(keys)
		if c.change != nil {
			answers := make(chan broker.Message, 1)
			answers <- broker.Message{Topic: proto.TopicOut(d.id, keys.ID()), Payload: d.confirmation(keys, sealed, c.change)}
			a.messages = answers
		}
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		_, err := a.Wait(ctx, sealed, nil)
		cancel()
		var p *home.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Sentence, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
