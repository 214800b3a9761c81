package main

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"testing"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
)

// fakeTaker keeps what it is given.
type fakeTaker struct {
	*identity.Identity
	shown []auth.Shown
	wrong []string
	err   error
}

func (f *fakeTaker) PairByCode(_ context.Context, s auth.Shown, _ func(proto.SetupStep)) error {
	f.shown = append(f.shown, s)
	return f.err
}

func (f *fakeTaker) CountWrongCode(code string) { f.wrong = append(f.wrong, code) }

type identified struct{ *fakeTaker }

func (i identified) Identity() *identity.Identity { return i.fakeTaker.Identity }

// clientBody is what a client puts into a code, but for what is set.
func clientBody(t *testing.T) code.Body {
	t.Helper()
	sig, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	card, err := envelope.NewKeyCard(sig, enc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	s, err := envelope.Shorten(card)
	if err != nil {
		t.Fatal(err)
	}
	return code.Body{Sig: s.Sig, Enc: s.Enc, Proof: s.Signature}
}

func TestShownCodes(t *testing.T) {
	id, err := identity.Init(t.TempDir(), identity.TPM{Use: identity.TPMOff})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(secret [16]byte, b code.Body) code.Sealed {
		s, err := code.Seal(secret, id.DeviceID(), b)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own := id.Label().Secret
	good := clientBody(t)
	good.WiFi = &code.WiFi{SSID: []byte("\xff home"), Password: "correct horse", Hidden: true, OpenOK: true}
	good.Broker = &code.Broker{URL: "mqtts://b", ViewerURL: "mqtts://v", ServerName: "n", CA: []byte{0x30, 0}}
	good.EST = &code.EST{URL: "https://e", User: "u", Password: "p"}
	forged := good
	forged.Proof = clientBody(t).Proof
	for name, c := range map[string]struct {
		sealed code.Sealed
		err    error
		done   bool
		shown  int
		wrong  int
	}{
		"good":                   {seal(own, good), nil, true, 1, 0},
		"another label's":        {seal([16]byte{1}, good), nil, false, 0, 1},
		"another's key":          {seal(own, forged), nil, false, 0, 1},
		"garbage":                {code.Sealed("garbage"), nil, false, 0, 1},
		"what does not work":     {seal(own, good), &proto.SetupProblem{Code: proto.CodeWiFiPassword}, false, 1, 0},
		"refused":                {seal(own, good), proto.Refuse(proto.CodeOwned), false, 1, 0}, // Show has counted it
		"with a window too late": {seal(own, good), auth.ErrWindowClosed, true, 1, 0},
	} {
		f := &fakeTaker{Identity: id, err: c.err}
		told := &feedback{say: func(string) {}}
		s := &shownCodes{authority: identified{f}, told: told, log: slog.New(slog.DiscardHandler)}
		done := s.Take(t.Context(), c.sealed)
		if joined, _, refused := told.stage(); joined != (c.shown > 0) || refused != (c.err != nil || c.wrong > 0) {
			t.Errorf("%s: the room sees that somebody pairs %v, that something is not taken %v", name, joined, refused)
		}
		if done != c.done || len(f.shown) != c.shown || len(f.wrong) != c.wrong {
			t.Errorf("%s: done %v, shown %d, wrong %d", name, done, len(f.shown), len(f.wrong))
		}
		if name != "good" || len(f.shown) != 1 {
			continue
		}
		got := f.shown[0]
		if got.Code != c.sealed.Hash() {
			t.Errorf("named %s", got.Code)
		}
		if _, err := envelope.VerifyKeyCard(got.Card); err != nil {
			t.Error(err)
		}
		w, b, e := got.Settings.WiFi, got.Settings.Broker, got.Settings.EST
		if *w != (proto.WiFi{SSID: "\xff home", Password: "correct horse", Hidden: true, OpenOK: true}) || *e != (proto.EST{URL: "https://e", User: "u", Password: "p"}) ||
			*b != (proto.SetupBroker{URL: "mqtts://b", ViewerURL: "mqtts://v", ServerName: "n", CA: "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}) {
			t.Errorf("%+v, %+v, %+v", w, b, e)
		}
	}
	if s, err := settingsOf(clientBody(t)); err != nil || !s.Empty() {
		t.Errorf("a code that sets nothing sets something: %v", err)
	}
	login := clientBody(t)
	login.Login = &code.Login{Chain: [][]byte{{1}}, Key: bytes.Repeat([]byte{1}, code.ScalarSize)}
	if s, err := settingsOf(login); err != nil || len(s.Chain) != 1 || len(s.Key) == 0 {
		t.Errorf("a code with a certificate: %v, %d, %d", err, len(s.Chain), len(s.Key))
	}
	login.Login.Key = make([]byte, code.ScalarSize) // no key of the curve
	if _, err := settingsOf(login); err == nil {
		t.Error("a key that is none is taken")
	}
}
