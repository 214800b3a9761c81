package proto

import "time"

// CertificateDo is what OpCertificate is asked to do. docs/protocol.md 13.1.
type CertificateDo string

// What there is to do. All but CertificateDoStatus are for owners.
const (
	CertificateDoStatus  CertificateDo = "status"  // say how long it lasts
	CertificateDoRequest CertificateDo = "request" // make a request for another one
	CertificateDoSet     CertificateDo = "set"     // try, and take, what was made for it
)

// CertificateRequest is the body of OpCertificate. docs/protocol.md 13.1.
type CertificateRequest struct {
	Do    CertificateDo `json:"do"`
	Chain [][]byte      `json:"chain,omitempty"` // CertificateDoSet: DER, the camera's own first
}

// MaxChain bounds the certificates of a chain together, in bytes of DER, so that they fit
// a request. docs/protocol.md 13.2.
const MaxChain = 6000

// Valid reports whether it asks for one thing that there is.
func (q CertificateRequest) Valid() bool {
	switch q.Do {
	case CertificateDoStatus, CertificateDoRequest:
		return len(q.Chain) == 0
	case CertificateDoSet:
		return len(q.Chain) > 0
	}
	return false
}

// Scopes returns what the request needs: seeing how long it lasts needs none.
func (q CertificateRequest) Scopes() []Scope {
	if q.Do == CertificateDoStatus {
		return nil
	}
	return []Scope{ScopeSettings}
}

// CertificateStatus is the body of the answer to OpCertificate, and a part of
// StatusAnswer. docs/protocol.md 13.1.
type CertificateStatus struct {
	From    int64  `json:"nbf"`               // Unix seconds
	Until   int64  `json:"exp"`               // Unix seconds
	Request []byte `json:"request,omitempty"` // PKCS #10 in DER; only in the answer to CertificateDoRequest
	Problem string `json:"problem,omitempty"` // a sentence: why what was set was not taken, or the camera's own renewal went wrong
}

// Old reports whether two thirds of the certificate's life are over.
func (s CertificateStatus) Old(now time.Time) bool {
	return now.Unix() >= s.Until-(s.Until-s.From)/3
}

// CertificateWords says for people how long a certificate lasts, in one line; times are
// shown in now's zone. What the camera wrote in it is as it came.
func CertificateWords(s CertificateStatus, now time.Time) string {
	end := minute(s.Until, now.Location())
	text := "good until " + end
	switch {
	case now.Unix() >= s.Until:
		text = "ended on " + end + ": have a new one made"
	case s.Old(now):
		text += ", and two thirds of its life are over: renew it with camctl certificate renew"
	}
	if s.Problem != "" {
		text += ". " + s.Problem
	}
	return text
}
