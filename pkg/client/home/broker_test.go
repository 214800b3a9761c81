package home

import (
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
)

// What a person names goes before what the camera says, whole pieces at a time.
func TestWhatTheReceiptFillsIn(t *testing.T) {
	said := envelope.BrokerLogin{URL: "mqtts://said:8884", ServerName: "said", CA: "said CA", Certificate: "said certificate", Key: "said key"}
	for name, c := range map[string]struct{ named, want Broker }{
		"nothing named": {Broker{}, Broker{URL: said.URL, ServerName: "said", CA: "said CA", Certificate: "said certificate", Key: "said key"}},
		"address":       {Broker{URL: "mqtts://own"}, Broker{URL: "mqtts://own", CA: "said CA", Certificate: "said certificate", Key: "said key"}},
		"server name":   {Broker{ServerName: "own"}, Broker{URL: said.URL, ServerName: "own", CA: "said CA", Certificate: "said certificate", Key: "said key"}},
		"authority":     {Broker{CA: "own"}, Broker{URL: said.URL, ServerName: "said", CA: "own", Certificate: "said certificate", Key: "said key"}},
		"certificate":   {Broker{Certificate: "own", Key: "key"}, Broker{URL: said.URL, ServerName: "said", CA: "said CA", Certificate: "own", Key: "key"}},
		"user":          {Broker{User: "own", Password: "word"}, Broker{URL: said.URL, ServerName: "said", CA: "said CA", User: "own", Password: "word"}},
	} {
		if got := c.named.Complete(nil, said); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Who pairs again keeps the address that was named the first time, and the login, unless
// the camera gives one.
func TestWhatIsKeptOfAnEarlierPairing(t *testing.T) {
	const devices, viewers = "mqtts://home:8883", "mqtts://home:8884"
	gives := envelope.BrokerLogin{URL: viewers, CA: "CA", User: "given", Password: "new"}
	for name, c := range map[string]struct {
		named, known Broker
		said         envelope.BrokerLogin
		want         Broker
	}{
		"address and login": {Broker{}, Broker{URL: viewers, Said: devices, ServerName: "home", CA: "own", User: "anna", Password: "a"}, envelope.BrokerLogin{URL: devices, CA: "CA"},
			Broker{URL: viewers, ServerName: "home", CA: "own", User: "anna", Password: "a"}},
		"an address that the camera said": {Broker{}, Broker{URL: devices, Said: devices, CA: "old", Certificate: "c", Key: "k"}, envelope.BrokerLogin{URL: viewers, CA: "CA"},
			Broker{URL: viewers, CA: "CA", Certificate: "c", Key: "k"}},
		"the authority of the same address": {Broker{}, Broker{URL: devices, CA: "old"}, envelope.BrokerLogin{URL: devices, CA: "new"}, Broker{URL: devices, CA: "new"}},
		"of before it was written down":     {Broker{}, Broker{URL: viewers, CA: "own"}, envelope.BrokerLogin{URL: devices, CA: "CA"}, Broker{URL: viewers, CA: "own"}},
		"a login that the camera gives": {Broker{}, Broker{URL: viewers, Said: viewers, User: "anna", Password: "a"}, gives,
			Broker{URL: viewers, CA: "CA", User: "given", Password: "new"}},
		"a login that is named": {Broker{User: "ben", Password: "b"}, Broker{URL: viewers, Said: viewers, Certificate: "c", Key: "k"}, gives,
			Broker{URL: viewers, CA: "CA", User: "ben", Password: "b"}},
		"an address that is named": {Broker{URL: "mqtts://own"}, Broker{URL: viewers, Said: devices, CA: "own", User: "anna", Password: "a"}, envelope.BrokerLogin{URL: devices, CA: "CA"},
			Broker{URL: "mqtts://own", CA: "CA", User: "anna", Password: "a"}},
		"the login of the same broker": {Broker{}, Broker{URL: viewers, Said: viewers, CA: "CA", User: "anna", Password: "a"}, envelope.BrokerLogin{URL: viewers, CA: "CA"},
			Broker{URL: viewers, CA: "CA", User: "anna", Password: "a"}},
		"a password, and another broker": {Broker{}, Broker{URL: devices, Said: devices, CA: "CA", User: "anna", Password: "a"}, envelope.BrokerLogin{URL: viewers, CA: "CA"},
			Broker{URL: viewers, CA: "CA"}},
		"a password, and another authority": {Broker{}, Broker{URL: viewers, Said: viewers, CA: "CA", User: "anna", Password: "a"}, envelope.BrokerLogin{URL: viewers, CA: "new"},
			Broker{URL: viewers, CA: "new"}},
	} {
		if got := c.named.Complete(&c.known, c.said); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// A card that brings no login leaves the one that there is, and sends no password to
// whoever its maker says is the broker.
func TestWhatACardKeepsOfTheLogin(t *testing.T) {
	known := Broker{URL: "mqtts://home", CA: "CA", Certificate: "c", Key: "k", User: "anna", Password: "a"}
	for name, c := range map[string]struct{ card, want Broker }{
		"the same broker":   {Broker{URL: known.URL, CA: "CA"}, known},
		"another authority": {Broker{URL: known.URL, CA: "Eve"}, Broker{URL: known.URL, CA: "Eve", Certificate: "c", Key: "k"}},
		"another address":   {Broker{URL: "mqtts://eve", CA: "CA"}, Broker{URL: "mqtts://eve", CA: "CA"}},
		"a login":           {Broker{URL: known.URL, CA: "CA", User: "ben"}, Broker{URL: known.URL, CA: "CA", User: "ben"}},
	} {
		if got := c.card.WithLogin(known); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
