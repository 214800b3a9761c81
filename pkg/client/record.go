package client

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// recordVersion is the format of a camera's file.
const recordVersion = 1

// Record is what a client knows of one camera. The identity key that the label
// named signed the trio, so a changed file is noticed.
type Record struct {
	Version  int            `json:"version"`
	Device   proto.DeviceID `json:"device"`
	Name     string         `json:"name,omitempty"`   // what its people call the camera
	Member   string         `json:"member,omitempty"` // what whoever let this client in calls it
	Role     proto.Role     `json:"role,omitempty"`
	Identity []byte         `json:"identity"` // the identity key as SPKI, DER; checked against the label once
	Trio     string         `json:"trio"`     // signed by the identity key, docs/protocol.md 2.4
	Epoch    uint64         `json:"epoch"`
	Paired   int64          `json:"paired"` // Unix seconds
	Broker   Broker         `json:"broker"`
}

// Broker says where the camera is met and how the client logs in there. What
// camd/v1 carries is sealed whatever the login. PEM lies here itself, not its
// path, so that a home can be moved to another machine.
type Broker struct {
	URL         string `json:"url"`                   // mqtts://host:port
	Said        string `json:"said,omitempty"`        // the URL that the camera said when it was paired with; another one was named by a person
	ServerName  string `json:"server_name,omitempty"` // the certificate's, if not the URL's host
	CA          string `json:"ca,omitempty"`          // PEM; empty: the system's authorities
	Certificate string `json:"certificate,omitempty"` // PEM
	Key         string `json:"key,omitempty"`         // PEM
	User        string `json:"user,omitempty"`
	Password    string `json:"password,omitempty"`
}

// or fills in what b lacks by what a camera says: an address comes with its server
// name, a certificate with its key, and a login of either kind is not mixed.
func (b Broker) or(said envelope.BrokerLogin) Broker {
	if b.URL == "" {
		b.URL = said.URL
		if b.ServerName == "" {
			b.ServerName = said.ServerName
		}
	}
	if b.CA == "" {
		b.CA = said.CA
	}
	if b.Certificate == "" && b.User == "" {
		b.Certificate, b.Key, b.User, b.Password = said.Certificate, said.Key, said.User, said.Password
	}
	return b
}

// again fills in what b lacks by what is known from an earlier pairing: the address
// that a person named then, with its authority and name, and the login, unless the
// camera gives one now. A password does not go where the camera alone points to now.
func (b Broker) again(known Broker, said envelope.BrokerLogin) Broker {
	if b.URL == "" && known.URL != known.Said && known.URL != said.URL {
		b.URL = known.URL
		b.ServerName, b.CA = cmp.Or(b.ServerName, known.ServerName), cmp.Or(b.CA, known.CA)
	}
	if b.Certificate == "" && b.User == "" && said.Certificate == "" && said.User == "" {
		b.Certificate, b.Key = known.Certificate, known.Key
		if b.URL != "" || said.URL == known.URL && cmp.Or(b.CA, said.CA) == known.CA {
			b.User, b.Password = known.User, known.Password
		}
	}
	return b
}

// WithLogin fills in what b lacks of a login, where known is of the same broker. Another
// authority makes another broker of the same address: it gets no password. A certificate
// shows nobody its key.
func (b Broker) WithLogin(known Broker) Broker {
	if b.Certificate != "" || b.User != "" || b.URL != known.URL {
		return b
	}
	b.Certificate, b.Key = known.Certificate, known.Key
	if b.CA == known.CA {
		b.User, b.Password = known.User, known.Password
	}
	return b
}

// For makes sure that the certificate, if there is one, is made for the key with that
// name: with another one's the broker carries nothing for this key.
func (b Broker) For(id proto.ClientID) error {
	if b.Certificate == "" {
		return nil
	}
	cert, err := tls.X509KeyPair([]byte(b.Certificate), []byte(b.Key))
	if err != nil {
		return problem(err, "The certificate for the broker can't be used with its key: %s.", strings.TrimPrefix(err.Error(), "tls: "))
	}
	if name := cert.Leaf.Subject.CommonName; name != string(id) {
		return problem(nil, "The certificate for the broker is not for this key but for %q: its common name must be %s. Take the one that was made for this key.", printable(name), id)
	}
	return nil
}

// LogValue keeps the login out of logs.
func (r Record) LogValue() slog.Value { return slog.StringValue(string(r.Device)) }

// LogValue keeps the login out of logs.
func (b Broker) LogValue() slog.Value { return slog.StringValue(b.URL) }

// Title is the camera's name for people.
func (r Record) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return string(r.Device)
}

var errRecord = errors.New("contradicts itself")

// check verifies the record against itself and returns the household's keys.
func (r Record) check() (envelope.Trio, error) {
	if !r.Device.Valid() {
		return envelope.Trio{}, fmt.Errorf("%w: device", errRecord)
	}
	identity, err := r.identity()
	if err != nil {
		return envelope.Trio{}, err
	}
	trio, err := envelope.VerifyTrio([]byte(r.Trio), identity)
	if err != nil {
		return envelope.Trio{}, fmt.Errorf("verify trio: %w", err)
	}
	if trio.Device != r.Device || trio.Epoch != r.Epoch {
		return envelope.Trio{}, fmt.Errorf("%w: trio of another device or epoch", errRecord)
	}
	if r.Role.Preset() == nil {
		return envelope.Trio{}, fmt.Errorf("%w: role %.20q", errRecord, r.Role)
	}
	for _, name := range []string{r.Name, r.Member} {
		if name != "" && naming.Check(name) != nil {
			return envelope.Trio{}, problem(errRecord, "The name %.50q can't be used: it is too long, mixes scripts, or holds characters that are not seen.", name)
		}
	}
	return trio, r.Broker.Check()
}

// identity is the device's key.
func (r Record) identity() (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(r.Identity)
	if err != nil {
		return nil, fmt.Errorf("parse identity: %w", err)
	}
	identity, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: identity is no ECDSA key", errRecord)
	}
	return identity, nil
}

// Check returns what is wrong with a broker's address and login, as a Problem.
func (b Broker) Check() error {
	u, err := url.Parse(b.URL)
	// With a user in front, u.Host is not what a person takes for it.
	if err != nil || u.Hostname() == "" || u.Scheme != "mqtts" || u.User != nil || printable(b.URL) != b.URL {
		return problem(err, "The broker's address %q is not usable: it must look like mqtts://host:8883.", b.URL)
	}
	if (b.Certificate == "") != (b.Key == "") {
		return problem(nil, "A broker certificate and its key belong together; one of them is missing.")
	}
	return nil
}
