package link

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Config names the broker that carries the device's messages.
type Config struct {
	Broker           string `toml:"broker" doc:"The broker's address: mqtts://host or mqtts://host:port (8883 if left out). Empty: the one that the camera is set up with when it pairs, and none before."`
	ViewerBroker     string `toml:"viewer_broker" doc:"The broker's address for the household's clients, which pairing tells them, where it is another than the device's: mqtts://host:8884 with the mosquitto of docs/mosquitto."`
	WebBroker        string `toml:"web_broker" doc:"The address of the broker's WebSocket, which pairing tells the household's clients in browsers: wss://host:port/path. Empty: whoever serves the page says it."`
	MemberLogins     string `toml:"member_logins" doc:"Folder of logins at the broker, as camops pki member makes them: a client that pairs with the key for which a file is named gets it. Empty: members bring their own."`
	CA               string `toml:"ca" doc:"PEM file of the authority that signs the broker's certificate. Empty: any public authority, which is weaker."`
	Certificate      string `toml:"certificate" doc:"PEM file of the device's own certificate chain. Empty: identity/operational.crt in the state folder."`
	ServerName       string `toml:"server_name" doc:"Name that the broker's certificate must hold. Empty: the host in broker."`
	CAText           string `toml:"-"` // the content of a file CA, of a device that was set up; CA is ignored then
	KeepaliveSeconds int    `toml:"keepalive_seconds" allow:"2..1200" doc:"A silent connection is probed after this time; a dead one is noticed within twice this time."`
}

// DefaultConfig returns the default values. There is no default broker: a camera without
// one waits to be set up.
func DefaultConfig() Config { return Config{KeepaliveSeconds: 30} }

const defaultPort = "8883"

// target is a validated Config together with the device's certificate.
type target struct {
	host, port string
	serverName string
	authority  string         // whom the device trusts, for people to read
	roots      *x509.CertPool // nil: the system's, or the built-in ones if it has none
	cert       tls.Certificate
	leaf       *x509.Certificate // of cert
	clientID   string            // MQTT's; a secret that must never be shown
	identity   crypto.Signer     // the key of which clientID is made
	keepalive  time.Duration
}

func (t *target) address() string { return net.JoinHostPort(t.host, t.port) }

// Login is how the device identifies itself to its broker.
type Login struct {
	Certificate tls.Certificate // with its private key
	Identity    crypto.Signer   // the identity key, of which the MQTT client identifier is made; nil: the certificate's key
}

func newTarget(cfg Config, login Login) (*target, error) {
	t := &target{cert: login.Certificate, identity: login.Identity, keepalive: time.Duration(cfg.KeepaliveSeconds) * time.Second}
	if cfg.KeepaliveSeconds < 2 {
		return nil, fmt.Errorf("keepalive_seconds = %d: it must be 2 or more", cfg.KeepaliveSeconds)
	}
	var err error
	if t.host, t.port, err = parseAddress("broker", cfg.Broker); err != nil {
		return nil, err
	}
	if cfg.ViewerBroker != "" {
		if _, _, err := parseAddress("viewer_broker", cfg.ViewerBroker); err != nil {
			return nil, err
		}
	}
	if cfg.WebBroker != "" {
		if err := checkWebAddress(cfg.WebBroker); err != nil {
			return nil, err
		}
	}
	t.serverName = t.host
	if cfg.ServerName != "" {
		t.serverName = cfg.ServerName
	}
	switch {
	case cfg.CAText != "":
		err = t.trust([]byte(cfg.CAText), "what the device was set up with")
	case cfg.CA != "":
		var data []byte
		if data, err = os.ReadFile(cfg.CA); err != nil {
			return nil, fmt.Errorf("read the broker's authority: %w", err)
		}
		err = t.trust(data, cfg.CA)
	default:
		t.authority = "the public authorities, since ca is empty"
	}
	if err != nil {
		return nil, err
	}
	return t, t.checkCertificate()
}

// with returns the same target with another certificate.
func (t *target) with(cert tls.Certificate) (*target, error) {
	other := *t
	other.cert = cert
	if err := other.checkCertificate(); err != nil {
		return nil, err
	}
	return &other, other.belongsTo(proto.DeviceID(t.leaf.Subject.CommonName))
}

// checkWebAddress returns what is wrong with the address of a broker for browsers.
func checkWebAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("web_broker = %q: give it as wss://host:port/path, without a user", s)
	}
	return nil
}

// parseAddress parses the address of a broker, which key configures.
func parseAddress(key, s string) (host, port string, err error) {
	if s == "" {
		return "", "", fmt.Errorf("%s is empty: give it as mqtts://host:8883", key)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%s = %q is not an address: give it as mqtts://host:8883", key, s)
	case u.Scheme != "mqtts":
		return "", "", fmt.Errorf("%s = %q: it must begin with mqtts:// (MQTT over TLS); nothing else is spoken", key, s)
	case u.Hostname() == "":
		return "", "", fmt.Errorf("%s = %q names no host: give it as mqtts://host:8883", key, s)
	case u.User != nil:
		return "", "", fmt.Errorf("%s holds a user name: certificates are shown instead, so write mqtts://%s", key, u.Host)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", "", fmt.Errorf("%s = %q: nothing may follow the host and port", key, s)
	}
	if host, port = u.Hostname(), u.Port(); port == "" {
		port = defaultPort
	}
	return host, port, nil
}

// trust reads the authority in PEM; where names its source.
func (t *target) trust(data []byte, where string) error {
	t.roots = x509.NewCertPool()
	var names []string
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("ca = %q holds a certificate that can't be read: %w", where, err)
		}
		t.roots.AddCert(c)
		names = append(names, certName(c))
	}
	if len(names) == 0 {
		return fmt.Errorf("ca = %q holds no PEM certificate", where)
	}
	t.authority = fmt.Sprintf("%s in %s", strings.Join(names, ", "), where)
	return nil
}

// checkCertificate checks that the certificate has a leaf, and that it is for the private
// key.
func (t *target) checkCertificate() error {
	if len(t.cert.Certificate) == 0 {
		return errors.New("the device has no certificate for its broker: have its identity key certified by the broker's authority")
	}
	leaf, err := x509.ParseCertificate(t.cert.Certificate[0])
	if err != nil {
		return fmt.Errorf("read the device's certificate: %w", err)
	}
	key, ok := t.cert.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("the device's certificate comes without a private key")
	}
	pub, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(key.Public()) {
		return fmt.Errorf("the device's certificate %s is for another key than the device's: have the present key certified", certName(leaf))
	}
	t.leaf = leaf
	if t.identity == nil {
		t.identity = key
	}
	t.clientID, err = clientID(t.identity, leaf.Subject.CommonName)
	return err
}

// belongsTo checks that the certificate names the device: brokers map the common
// name to the topics that it may use.
func (t *target) belongsTo(device proto.DeviceID) error {
	if !device.Valid() {
		return fmt.Errorf("%q is no device identifier", device)
	}
	if cn := t.leaf.Subject.CommonName; cn != string(device) {
		return fmt.Errorf("the device's certificate is for %s, but this device is %q: have a certificate made with that common name", foreign.Name(cn), device)
	}
	return nil
}
