package main

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
)

// notSetUp is what people read of a camera that knows no broker.
const notSetUp = "The camera is not set up yet. Hold its pairing button for three seconds, or run camd pair on it, and then camctl pair."

// reach returns the [link] table, and where it names no broker, the one that the device
// was set up with.
func reach(cfg link.Config, own setup.Settings) link.Config {
	if cfg.Broker != "" || own.Broker == nil {
		return cfg
	}
	cfg.Broker = own.Broker.URL
	cfg.ViewerBroker = cmp.Or(cfg.ViewerBroker, own.Broker.ViewerURL)
	cfg.WebBroker = cmp.Or(cfg.WebBroker, own.Broker.WebURL)
	cfg.ServerName = cmp.Or(cfg.ServerName, own.Broker.ServerName)
	if cfg.CA == "" {
		cfg.CAText = own.Broker.CA
	}
	return cfg
}

// openLink returns the link to the broker, or one that waits until the device was set up.
func (d *daemon) openLink() (*link.Link, error) {
	own := d.setup.Settings()
	reached := reach(d.cfg.Link, own)
	if reached.Broker == "" {
		return link.Waiting(notSetUp, d.board), nil
	}
	cert, err := operational(d.cfg, d.identity, own)
	if err != nil && d.cfg.Link.Broker == "" {
		return link.Waiting("The certificate for the broker is missing. "+notSetUp, d.board), nil
	}
	if err != nil {
		return nil, err
	}
	statement, err := d.authority.Statement()
	if err != nil {
		return nil, err
	}
	birth := proto.Status{Online: true, Version: version, Epoch: statement}
	l, err := link.New(reached, d.log, d.board, d.identity.DeviceID(), birth, link.Login{Certificate: cert, Identity: d.identity.Signer()})
	if err != nil {
		return nil, inTable("link", err)
	}
	return l, nil
}

// brokerLogin returns what a client that pairs now is told of the broker.
func (d *daemon) brokerLogin(id proto.ClientID) envelope.BrokerLogin {
	login, err := brokerLogins(reach(d.cfg.Link, d.setup.Settings()), d.log)
	if err != nil {
		d.log.Error("clients that pair are not told where the broker is", "error", err)
		return envelope.BrokerLogin{}
	}
	return login(id)
}

// brokerLogins returns what a client is told of the broker when it pairs: address,
// authority, and its login if that is in the folder of logins. A login that can't be used
// keeps nobody from pairing.
func brokerLogins(cfg link.Config, log *slog.Logger) (func(proto.ClientID) envelope.BrokerLogin, error) {
	b := envelope.BrokerLogin{URL: cmp.Or(cfg.ViewerBroker, cfg.Broker), ServerName: cfg.ServerName, Web: cfg.WebBroker}
	if cfg.CAText != "" {
		b.CA = cfg.CAText
	} else if cfg.CA != "" {
		ca, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, inTable("link", fmt.Errorf("ca: %w", err))
		}
		b.CA = string(ca)
	}
	if !fits(b) {
		return nil, inTable("link", fmt.Errorf("ca = %q is too large for a client that pairs: keep the broker's own authority in it and nothing else", cfg.CA))
	}
	return func(id proto.ClientID) envelope.BrokerLogin {
		whole, err := withLogin(b, cfg.MemberLogins, id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			log.Warn("a client that pairs gets no login for the broker: none was made for its key", "client", string(id))
		case err != nil:
			log.Warn("a client that pairs gets no login for the broker", "client", string(id), "error", err)
		}
		return whole
	}, nil
}

// withLogin adds a client's login to b, or returns b and what is wrong with the login.
func withLogin(b envelope.BrokerLogin, dir string, id proto.ClientID) (envelope.BrokerLogin, error) {
	if dir == "" {
		return b, nil
	}
	path := filepath.Join(dir, string(id)+".pem")
	certificate, key, err := readLogin(path, id)
	if err != nil {
		return b, err
	}
	whole := b
	whole.Certificate, whole.Key = certificate, key
	if !fits(whole) {
		return b, fmt.Errorf("%s is too large: leave the chain out", path)
	}
	return whole, nil
}

// readLogin reads a member's certificate and key from one file, as camops pki member
// makes it.
func readLogin(path string, id proto.ClientID) (certificate, key string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", fmt.Errorf("read a login: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, pairing.MaxBroker))
	if err != nil {
		return "", "", fmt.Errorf("read a login: %w", err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return "", "", fmt.Errorf("%s holds no certificate with its key: have camops pki member make it again", path)
	}
	if cn := pair.Leaf.Subject.CommonName; cn != string(id) {
		return "", "", fmt.Errorf("%s is the login of %.60q: have camops pki member make it again", path, cn)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificate += string(pem.EncodeToMemory(block))
		} else {
			key += string(pem.EncodeToMemory(block))
		}
	}
	return certificate, key, nil
}

// fits reports whether a receipt can hold b.
func fits(b envelope.BrokerLogin) bool {
	text, err := json.Marshal(b) //nolint:gosec // only its length counts
	return err == nil && len(text) <= pairing.MaxBroker
}
