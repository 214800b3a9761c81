package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
)

// Who pairs is told where viewers meet the broker, and gets the login that was made
// for its own key and no other.
func TestMeetingPoint(t *testing.T) {
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	anna, bert, carl := proto.ClientID(strings.Repeat("A", 43)), proto.ClientID(strings.Repeat("B", 43)), proto.ClientID(strings.Repeat("C", 43))
	login := func(owner, names proto.ClientID, with []byte) {
		t.Helper()
		cert, err := ca.Viewer(names)
		if err != nil {
			t.Fatal(err)
		}
		key, err := pki.KeyPEM(cert)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, string(owner)+".pem"), slices.Concat(pki.CertificatePEM(cert), key, with), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login(anna, anna, nil)
	login(bert, anna, nil)
	login(carl, carl, bytes.Repeat(ca.PEM(), 20))
	caFile, err := pki.WriteCA(dir, "ca", ca)
	if err != nil {
		t.Fatal(err)
	}
	cfg := link.Config{Broker: "mqtts://b.example:8883", ViewerBroker: "mqtts://b.example:8884", WebBroker: "wss://b.example/mqtt", ServerName: "home", CA: caFile, MemberLogins: dir}
	for name, c := range map[string]struct {
		who   proto.ClientID
		dir   string
		login bool
		said  string // in the log
	}{
		"login":            {anna, dir, true, ""},
		"no folder":        {anna, "", false, ""},
		"none made":        {proto.ClientID(strings.Repeat("D", 43)), dir, false, "none was made for its key"},
		"another member's": {bert, dir, false, "is the login of"},
		"too large":        {carl, dir, false, "gets no login"},
	} {
		var log bytes.Buffer
		cfg.MemberLogins = c.dir
		at, err := brokerLogins(cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		b := at(c.who)
		if b.URL != cfg.ViewerBroker || b.Web != cfg.WebBroker || b.ServerName != "home" || b.CA != string(ca.PEM()) {
			t.Errorf("%s: the client is told %+v", name, b.URL)
		}
		if (b.Certificate != "" && b.Key != "") != c.login || !fits(b) || !strings.Contains(log.String(), c.said) || c.said == "" && log.Len() > 0 {
			t.Errorf("%s: login %v, want %v; log %q", name, b.Certificate != "", c.login, &log)
		}
		if strings.Contains(b.Certificate, "PRIVATE") || strings.Contains(b.Key, "CERTIFICATE") {
			t.Errorf("%s: certificate and key are mixed", name)
		}
	}

	cfg.ViewerBroker, cfg.MemberLogins = "", ""
	at, err := brokerLogins(cfg, slog.New(slog.DiscardHandler))
	if err != nil || at(anna).URL != cfg.Broker {
		t.Errorf("without an address of its own the client is told %v (%v)", at(anna).URL, err)
	}
	if err := os.WriteFile(caFile, bytes.Repeat(ca.PEM(), 30), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := brokerLogins(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("an authority that fits no receipt: %v", err)
	}
}
