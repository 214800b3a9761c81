package home

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"net/url"
	"strings"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Broker says where the camera is reached and how the client logs in there. PEM is
// kept here itself, not by its path, so that a home can be moved to another machine.
type Broker struct {
	URL         string `json:"url"`                   // mqtts://host:port, or wss://host/path
	Said        string `json:"said,omitempty"`        // the URL that the camera said at the pairing; if URL differs, a person named it
	ServerName  string `json:"server_name,omitempty"` // the certificate's, if not the URL's host
	CA          string `json:"ca,omitempty"`          // PEM; empty: the system's authorities
	Web         string `json:"web,omitempty"`         // wss://…, for clients in browsers; only passed on
	Certificate string `json:"certificate,omitempty"` // PEM
	Key         string `json:"key,omitempty"`         // PEM
	User        string `json:"user,omitempty"`
	Password    string `json:"password,omitempty"`
}

// LogValue keeps the login out of logs.
func (b Broker) LogValue() slog.Value { return slog.StringValue(b.URL) }

// OverWebSocket reports whether the broker is reached by a WebSocket, as by browsers.
func (b Broker) OverWebSocket() bool { return strings.HasPrefix(b.URL, "wss://") }

// Complete returns b with what it lacks. From known, the broker of an earlier pairing
// with the same camera or nil, come the address that a person named then, with its
// authority and server name, and the login unless the camera gives one now. All else
// comes from what the camera says: an address comes with its server name, a certificate
// with its key, and a login of either kind is not mixed. A password is not sent to an
// address that the camera alone names now.
func (b Broker) Complete(known *Broker, said envelope.BrokerLogin) Broker {
	if known != nil {
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
	}
	if b.URL == "" {
		b.URL = said.URL
		b.ServerName = cmp.Or(b.ServerName, said.ServerName)
	}
	if b.CA == "" {
		b.CA = said.CA
	}
	if b.Web == "" && b.URL == said.URL {
		b.Web = said.Web
	}
	if b.Certificate == "" && b.User == "" {
		b.Certificate, b.Key, b.User, b.Password = said.Certificate, said.Key, said.User, said.Password
	}
	return b
}

// WithLogin returns b with the login of known, if b has none and has the same address.
// A broker of another authority gets no password; a certificate shows nobody its key.
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

// CheckFor returns an error if the certificate is made for another client: with it, the
// broker lets this client neither send nor receive.
func (b Broker) CheckFor(id proto.ClientID) error {
	if b.Certificate == "" {
		return nil
	}
	cert, err := tls.X509KeyPair([]byte(b.Certificate), []byte(b.Key))
	if err != nil {
		return NewProblem(err, "The certificate for the broker can't be used with its key: %s.", strings.TrimPrefix(err.Error(), "tls: "))
	}
	if name := cert.Leaf.Subject.CommonName; name != string(id) {
		return NewProblem(nil, "The certificate for the broker is not for this key but for %q: its common name must be %s. Take the one that was made for this key.", Printable(name), id)
	}
	return nil
}

// Check returns what is wrong with the address and the login, as a Problem.
func (b Broker) Check() error {
	u, err := url.Parse(b.URL)
	// With a user in front, u.Host is not what a person takes for it.
	if err != nil || u.Hostname() == "" || u.Scheme != "mqtts" && u.Scheme != "wss" || u.User != nil || Printable(b.URL) != b.URL {
		return NewProblem(err, "The broker's address %q is not usable: it must look like mqtts://host:8883 or wss://host/mqtt.", b.URL)
	}
	if (b.Certificate == "") != (b.Key == "") {
		return NewProblem(nil, "A broker certificate and its key belong together; one of them is missing.")
	}
	return nil
}
