package broker

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// identity is the holder of a verified certificate: a device or a client, never both.
type identity struct {
	device proto.DeviceID
	client proto.ClientID
}

var errIdentity = errors.New("the certificate names neither a device nor a client of camd")

// identify reads the common name and the one URI name of a verified certificate.
// They must say the same.
func identify(leaf *x509.Certificate) (identity, error) {
	cn := leaf.Subject.CommonName
	if len(leaf.URIs) != 1 {
		return identity{}, fmt.Errorf("%w: %q has %d URI names, want one", errIdentity, cn, len(leaf.URIs))
	}
	uri := leaf.URIs[0].String()
	if d := proto.DeviceID(cn); d.Valid() && uri == pki.DeviceURI(d) {
		return identity{device: d}, nil
	}
	if c := proto.ClientID(cn); c.Valid() && uri == pki.ClientURI(c) {
		return identity{client: c}, nil
	}
	return identity{}, fmt.Errorf("%w: %q with %q", errIdentity, cn, uri)
}

func (i identity) String() string {
	if i.device != "" {
		return string(i.device)
	}
	return string(i.client)
}

// owns reports whether the holder may use an MQTT client identifier. A device has one that only
// it knows, 16 bytes in base64url (docs/protocol.md 1.7). A client has its name, a dash and a
// suffix, so that two programs of one person don't end each other's sessions. A client's is
// longer than any device's, so that it can't take a device's session over.
func (i identity) owns(clientID string) bool {
	if i.device != "" {
		secret, err := base64.RawURLEncoding.Strict().DecodeString(clientID)
		return err == nil && len(secret) == 16
	}
	tail, ok := strings.CutPrefix(clientID, string(i.client)+"-")
	return ok && tail != "" && len(tail) <= 64
}

// mayPublish reports whether the holder may write a topic. docs/protocol.md 1.3.
func (i identity) mayPublish(topic string) bool {
	t, ok := split(topic)
	switch {
	case !ok:
		return false
	case i.device != "":
		return t.device == string(i.device) &&
			(t.kind == "status" || t.kind == "out" && proto.ClientID(t.client).Valid())
	default:
		return t.kind == "in" && t.client == string(i.client) && proto.DeviceID(t.device).Valid()
	}
}

// maySubscribe reports whether the holder may read a topic or topic filter. A device reads its
// own status, to see whether the broker carries messages. A client reads the status of devices
// whose names it knows, but not of all; a broker for several households knows each client's
// devices.
func (i identity) maySubscribe(filter string) bool {
	t, ok := split(filter)
	switch {
	case !ok:
		return false
	case i.device != "":
		return t.device == string(i.device) &&
			(t.kind == "status" || t.kind == "in" && (t.client == "+" || proto.ClientID(t.client).Valid()))
	default:
		named := proto.DeviceID(t.device).Valid()
		return t.kind == "status" && named ||
			t.kind == "out" && t.client == string(i.client) && (named || t.device == "+")
	}
}

// topic is camd/v1/<device>/<kind>[/<client>], wildcards included.
type topic struct{ device, kind, client string }

func split(s string) (topic, bool) {
	rest, ok := strings.CutPrefix(s, "camd/v1/")
	l := strings.Split(rest, "/")
	switch {
	case ok && len(l) == 2 && l[1] == "status":
		return topic{device: l[0], kind: "status"}, true
	case ok && len(l) == 3 && (l[1] == "in" || l[1] == "out"):
		return topic{l[0], l[1], l[2]}, true
	}
	return topic{}, false
}
