package broker

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

var (
	devA = proto.DeviceID(strings.Repeat("a", 26))
	devB = proto.DeviceID(strings.Repeat("b", 26))
	cliA = proto.ClientID(strings.Repeat("A", 43))
	cliB = proto.ClientID(strings.Repeat("B", 43))

	secret = strings.Repeat("A", 22) // a device's MQTT client identifier
)

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		cn   string
		uris []string
		want identity
	}{
		{string(devA), []string{pki.DeviceURI(devA)}, identity{device: devA}},
		{string(cliA), []string{pki.ClientURI(cliA)}, identity{client: cliA}},
		{string(devA), nil, identity{}},
		{string(devA), []string{pki.DeviceURI(devB)}, identity{}},
		{string(devA), []string{pki.ClientURI(cliA)}, identity{}},
		{string(devA), []string{pki.DeviceURI(devA), pki.ClientURI(cliA)}, identity{}},
		{"admin", []string{"urn:camd:device:admin"}, identity{}},
		{"", []string{"urn:camd:client:"}, identity{}},
	} {
		leaf := &x509.Certificate{Subject: pkix.Name{CommonName: c.cn}}
		for _, s := range c.uris {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			leaf.URIs = append(leaf.URIs, u)
		}
		got, err := identify(leaf)
		if got != c.want || (err == nil) != (c.want != identity{}) || err != nil && !errors.Is(err, errIdentity) {
			t.Errorf("identify(%s %v) = %v, %v; want %v", c.cn, c.uris, got, err, c.want)
		}
	}
}

func TestOwns(t *testing.T) {
	for _, c := range []struct {
		who  identity
		id   string
		want bool
	}{
		{identity{device: devA}, secret, true},
		{identity{device: devA}, string(devA), false},
		{identity{device: devA}, secret[1:], false},
		{identity{device: devA}, secret + "A", false},
		{identity{device: devA}, secret[1:] + "B", false}, // spare bits
		{identity{client: cliA}, secret, false},
		{identity{device: devA}, string(cliA) + "-x1", false},
		{identity{client: cliA}, string(cliA) + "-x1", true},
		{identity{client: cliA}, string(cliA), false},
		{identity{client: cliA}, string(cliA) + "-", false},
		{identity{client: cliA}, string(cliA) + "-" + strings.Repeat("x", 65), false},
		{identity{client: cliA}, string(cliB) + "-x1", false},
		{identity{client: cliA}, string(devA), false},
	} {
		if got := c.who.owns(c.id); got != c.want {
			t.Errorf("%v owns %s: %v, want %v", c.who, c.id, got, c.want)
		}
	}
}

func TestTopicRules(t *testing.T) {
	dev, cli := identity{device: devA}, identity{client: cliA}
	for _, c := range []struct {
		who                identity
		topic              string
		publish, subscribe bool
	}{
		{dev, proto.TopicStatus(devA), true, true},
		{dev, proto.TopicOut(devA, cliA), true, false},
		{dev, proto.TopicInFilter(devA), false, true},
		{dev, proto.TopicIn(devA, cliA), false, true},
		{dev, proto.TopicStatus(devB), false, false},
		{dev, "camd/v1/+/status", false, false},
		{dev, proto.TopicOut(devB, cliA), false, false},
		{dev, proto.TopicInFilter(devB), false, false},
		{dev, "camd/v1/+/in/+", false, false},
		{dev, "camd/v1/" + string(devA) + "/out/x", false, false},
		{dev, "camd/v1/" + string(devA) + "/#", false, false},
		{cli, proto.TopicIn(devA, cliA), true, false},
		{cli, proto.TopicIn(devB, cliA), true, false},
		{cli, proto.TopicOut(devA, cliA), false, true},
		{cli, "camd/v1/+/out/" + string(cliA), false, true},
		{cli, "camd/v1/+/status", false, false},
		{cli, proto.TopicStatus(devA), false, true},
		{cli, proto.TopicIn(devA, cliB), false, false},
		{cli, proto.TopicOut(devA, cliB), false, false},
		{cli, "camd/v1/+/out/+", false, false},
		{cli, "camd/v1/+/in/" + string(cliA), false, false},
		{cli, "camd/v1/x/in/" + string(cliA), false, false},
		{cli, "camd/v1/#", false, false},
		{cli, "#", false, false},
		{cli, "$SYS/broker/version", false, false},
		{cli, "$share/g/camd/v1/+/status", false, false},
		{cli, "camd/v2/" + string(devA) + "/status", false, false},
		{cli, "", false, false},
	} {
		if got := c.who.mayPublish(c.topic); got != c.publish {
			t.Errorf("%v may publish %s: %v, want %v", c.who, c.topic, got, c.publish)
		}
		if got := c.who.maySubscribe(c.topic); got != c.subscribe {
			t.Errorf("%v may subscribe %s: %v, want %v", c.who, c.topic, got, c.subscribe)
		}
	}
}
