package link

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/camd-project/camd/pkg/foreign"
)

// A certificate that answers in the broker's place may have any name. In a sentence it
// is one, in quotation marks, and has an end.
func TestForeignTextInASentence(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	x := &target{host: "b.example", port: "8883", serverName: "b.example", leaf: named("dev1", "Home CA", now, now)}
	for _, evil := range []string{
		"x\x1b[31m", "x\u009b31m", "x, and all is well.\r\nbroker  ok", "\u202eannA", "a\u2028b", "\xff\xfe",
		`x" is trusted. "`, strings.Repeat("a", 50_000), strings.Repeat("\x1b", 50_000),
	} {
		c := named(evil, evil+"'s issuer", now.Add(time.Hour), now)
		c.DNSNames = []string{evil, evil, evil, evil, evil, evil}
		bare := &x509.Certificate{Subject: pkix.Name{Organization: []string{evil}}, Issuer: pkix.Name{Organization: []string{evil, evil}}}
		for what, err := range map[string]error{
			"another name": x509.HostnameError{Certificate: c, Host: "b.example"},
			"no issuer":    x509.UnknownAuthorityError{Cert: c},
			"bare":         x509.UnknownAuthorityError{Cert: bare},
			"early":        x509.CertificateInvalidError{Cert: c, Reason: x509.Expired},
			"unusable":     x509.CertificateInvalidError{Cert: c, Reason: x509.CANotAuthorizedForThisName, Detail: evil},
			"anything":     fmt.Errorf("%w: %w", errHandshake, errors.New(evil)),
		} {
			s := x.explain(err, now).Sentence
			if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || len(s) > foreign.MaxLine+len("…") {
				t.Errorf("%s: %d bytes: %.300q", what, len(s), s)
			}
			if what != "unusable" && what != "anything" && (strings.Contains(s, `x" is`) || strings.Count(s, `…`) > 4) {
				t.Errorf("%s: %.300q", what, s)
			}
		}
		if s := x.explain(x509.HostnameError{Certificate: c, Host: "b.example"}, now).Sentence; !strings.Contains(s, foreign.Name(evil)+" and 2 more") || !strings.HasSuffix(s, "made for that name.") {
			t.Errorf("%.600q", s)
		}
	}
}
