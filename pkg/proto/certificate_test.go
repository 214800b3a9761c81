package proto

import (
	"encoding/json"
	"testing"
	"time"
)

func TestCertificateRequest(t *testing.T) {
	chain := [][]byte{{1}}
	for _, c := range []struct {
		q      CertificateRequest
		valid  bool
		scopes int
	}{
		{CertificateRequest{Do: CertificateDoStatus}, true, 0},
		{CertificateRequest{Do: CertificateDoRequest}, true, 1},
		{CertificateRequest{Do: CertificateDoSet, Chain: chain}, true, 1},
		{CertificateRequest{}, false, 1},
		{CertificateRequest{Do: "renew"}, false, 1},
		{CertificateRequest{Do: CertificateDoSet}, false, 1},
		{CertificateRequest{Do: CertificateDoStatus, Chain: chain}, false, 0},
		{CertificateRequest{Do: CertificateDoRequest, Chain: chain}, false, 1},
	} {
		if c.q.Valid() != c.valid || len(c.q.Scopes()) != c.scopes {
			t.Errorf("%+v: %v, %v", c.q, c.q.Valid(), c.q.Scopes())
		}
	}
}

// A chain of the largest size fits a request.
func TestLargestChain(t *testing.T) {
	q := CertificateRequest{Do: CertificateDoSet}
	for range 4 {
		q.Chain = append(q.Chain, make([]byte, MaxChain/4))
	}
	if body, err := json.Marshal(q); err != nil || len(body) > MaxBody {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestCertificateWords(t *testing.T) {
	s := CertificateStatus{From: 1000, Until: 1000 + 3*86400}
	for want, c := range map[string]struct {
		now     int64
		problem string
	}{
		"good until 4 Jan 1970 00:16":                                                                              {1000, ""},
		"good until 4 Jan 1970 00:16. The server is away.":                                                         {1000 + 2*86400 - 1, "The server is away."},
		"ended on 4 Jan 1970 00:16: have a new one made":                                                           {1000 + 3*86400, ""},
		"ended on 4 Jan 1970 00:16: have a new one made. X":                                                        {1000 + 4*86400, "X"},
		"good until 4 Jan 1970 00:16, and two thirds of its life are over: renew it with camctl certificate renew": {1000 + 2*86400, ""},
	} {
		s.Problem = c.problem
		if got := CertificateWords(s, time.Unix(c.now, 0).UTC()); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}
