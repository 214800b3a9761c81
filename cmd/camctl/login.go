package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/home"
)

// loginFlags say how a client gets into the broker.
type loginFlags struct {
	Broker             string `arg:"--broker" help:"address of the broker, mqtts://host:port, if not as the camera says" placeholder:"URL"`
	BrokerName         string `arg:"--broker-name" help:"name in the broker's certificate, if not the address's host" placeholder:"NAME"`
	BrokerCA           string `arg:"--broker-ca" help:"file with the broker's authority, if not as the camera says" placeholder:"FILE"`
	BrokerCert         string `arg:"--broker-cert" help:"file with the client's certificate for the broker" placeholder:"FILE"`
	BrokerKey          string `arg:"--broker-key" help:"file with the certificate's key" placeholder:"FILE"`
	BrokerUser         string `arg:"--broker-user" help:"login name at the broker" placeholder:"NAME"`
	BrokerPasswordFile string `arg:"--broker-password-file" help:"file with the password of the login" placeholder:"FILE"`
}

// login reads the files, so that a home needs nothing outside itself.
func (p loginFlags) login() (home.Broker, error) {
	b := home.Broker{URL: p.Broker, ServerName: p.BrokerName, User: p.BrokerUser}
	if (p.BrokerCert == "") != (p.BrokerKey == "") {
		return b, command.Usage("--broker-cert and --broker-key go together")
	}
	if p.Broker != "" {
		if err := b.Check(); err != nil {
			return b, err
		}
	}
	if (p.BrokerUser == "") != (p.BrokerPasswordFile == "") {
		return b, command.Usage("--broker-user and --broker-password-file go together")
	}
	for _, f := range []struct {
		path string
		into *string
	}{{p.BrokerCA, &b.CA}, {p.BrokerCert, &b.Certificate}, {p.BrokerKey, &b.Key}, {p.BrokerPasswordFile, &b.Password}} {
		if f.path == "" {
			continue
		}
		data, err := os.ReadFile(f.path)
		if err != nil {
			return b, command.Usage(fmt.Sprintf("%s can't be read: %v", f.path, errors.Unwrap(err)))
		}
		*f.into = string(data)
	}
	b.Password = strings.TrimRight(b.Password, "\r\n")
	return b, nil
}

// over replaces what a camera card says by what the flags name.
func over(flags, card home.Broker) home.Broker {
	if flags.URL != "" {
		card.URL, card.ServerName = flags.URL, flags.ServerName
	}
	if flags.ServerName != "" {
		card.ServerName = flags.ServerName
	}
	if flags.CA != "" {
		card.CA = flags.CA
	}
	if flags.Certificate != "" {
		card.Certificate, card.Key = flags.Certificate, flags.Key
	}
	if flags.User != "" {
		card.User, card.Password = flags.User, flags.Password
	}
	return card
}
