package auth

import (
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// CheckCertificate is for the field Check of OpCertificate: every member may see how long
// the certificate lasts, but only owners ask for another one, whatever scopes others have.
// A member who gave a bad one could put the camera out of everyone's reach.
// docs/protocol.md 13.1.
func CheckCertificate(c Caller, q proto.CertificateRequest) error {
	if q.Do == proto.CertificateDoStatus {
		return nil
	}
	return OwnersOnly(c, q)
}

// CertificateLog logs that the camera takes another certificate for its broker, of which all
// members get a notice.
type CertificateLog struct {
	authority *Authority
	by        *Request // nil: the camera itself

	Entry uint64 // in the access log, once Taken has made it
}

// CertificateTaken returns the log of one certificate, which the member who made a request
// gives, or the camera gets by itself (nil).
func (a *Authority) CertificateTaken(r *Request) *CertificateLog {
	return &CertificateLog{authority: a, by: r}
}

// Taken makes the entry; the certificate must wait for a nil error. The right is decided once
// more, since the certificate was tried for a while.
func (l *CertificateLog) Taken(until time.Time) (err error) {
	a := l.authority
	e := accesslog.Entry{Kind: accesslog.KindCertificate}
	if l.by != nil {
		m, err := a.stillOwner(*l.by)
		if err != nil {
			return err
		}
		e = actor{m}.entry(accesslog.KindCertificate)
		e.Op = proto.OpCertificate
	}
	if code := a.sessions.whyBarred(); code != "" {
		return proto.Refuse(code)
	}
	e.Until = until.Unix()
	if l.Entry, err = a.journal.Append(e); err != nil {
		return errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return nil
}

// NotTaken logs that the certificate was not taken after all.
func (l *CertificateLog) NotTaken() {
	_, _ = l.authority.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Op: proto.OpCertificate, // the journal reports its errors
		Start: l.Entry, Reason: accesslog.ReasonNotApplied})
}
