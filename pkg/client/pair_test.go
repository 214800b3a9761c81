package client

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
		if got := c.named.or(said); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
