package client

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// entered is the kind of entry that an operation makes.
var entered = map[proto.Op]accesslog.Kind{
	proto.OpLive:        accesslog.KindLive,
	proto.OpTalk:        accesslog.KindTalk,
	proto.OpSnapshot:    accesslog.KindSnapshot,
	proto.OpGrant:       accesslog.KindGrant,
	proto.OpRevoke:      accesslog.KindRevoke,
	proto.OpSetSettings: accesslog.KindSettings,
	proto.OpPrivacy:     accesslog.KindPrivacy,
	proto.OpAlarm:       accesslog.KindAlarm,
	proto.OpUpdate:      accesslog.KindUpdate,
	proto.OpCertificate: accesslog.KindCertificate,
	proto.OpWiFi:        accesslog.KindSettings,
}

var errEntry = errors.New("the entry is not what was asked for")

// included verifies that what the camera did is in its log, as it was asked for.
func (c *Camera) included(r proto.Request, a proto.Answer, from, now accesslog.Checkpoint, p accesslog.Proof) error {
	kind, recorded := entered[r.Op]
	switch {
	case p.Entry == nil && recorded && a.Code == proto.CodeOK && changed(r, a):
		return &breach{home.AlarmEntry, from.Note, fmt.Errorf("%w: there is none for %s", errEntry, r.Op)}
	case p.Entry == nil:
		return nil
	}
	e, err := accesslog.VerifyInclusion(now, *p.Entry)
	if err == nil {
		err = c.asAsked(r, e)
	}
	if err == nil && a.Code == proto.CodeOK && e.Kind != kind {
		err = fmt.Errorf("%w: it is of kind %s", errEntry, e.Kind)
	}
	if err != nil {
		return &breach{home.AlarmEntry, from.Note, err}
	}
	return nil
}

// changed reports whether an answer says that something was done, which must then be in
// the log. Reading something is not, a member that is gone already is not removed again,
// and privacy mode that is on stays on.
func changed(r proto.Request, a proto.Answer) bool {
	switch r.Op {
	case proto.OpRevoke:
		var body proto.RevokeAnswer
		return json.Unmarshal(a.Body, &body) != nil || len(body.Revoked) > 0
	case proto.OpUpdate:
		return updateStep(r) != ""
	case proto.OpCertificate: // unless the camera refuses the certificate
		var asked proto.CertificateRequest
		var now proto.CertificateStatus
		return json.Unmarshal(r.Body, &asked) == nil && asked.Do == proto.CertificateDoSet &&
			(json.Unmarshal(a.Body, &now) != nil || now.Problem == "")
	case proto.OpWiFi: // unless the camera does not try the network
		var asked proto.WiFiRequest
		var now proto.WiFiStatus
		return json.Unmarshal(r.Body, &asked) == nil && asked.Do == proto.WiFiDoJoin &&
			(json.Unmarshal(a.Body, &now) != nil || now.Problem == nil)
	}
	return r.Op != proto.OpPrivacy
}

// asAsked returns an error if an entry differs from the request that made it.
func (c *Camera) asAsked(r proto.Request, e accesslog.Entry) error {
	if e.Epoch != c.record.Epoch || e.Client != c.keys.ID() || e.Session != r.Session || e.Op != "" && e.Op != r.Op {
		return fmt.Errorf("%w: it is of %s by %s", errEntry, e.Kind, e.Client)
	}
	switch e.Kind {
	case accesslog.KindGrant:
		return asGranted(r, e)
	case accesslog.KindRevoke:
		var v proto.Revoke
		if json.Unmarshal(r.Body, &v) != nil || v.Client != e.Subject || e.Keep && !v.KeepGuests {
			return fmt.Errorf("%w: it removes %s", errEntry, e.Subject)
		}
	case accesslog.KindLive:
		var v proto.LiveRequest
		if _ = json.Unmarshal(r.Body, &v); !slices.Equal(v.Scopes, e.Scopes) { // a body of this client's own
			return fmt.Errorf("%w: it is for %s", errEntry, e.Scopes)
		}
	case accesslog.KindTalk, accesslog.KindSnapshot:
		if scope := (map[accesslog.Kind]proto.Scope{accesslog.KindTalk: proto.ScopeTalk, accesslog.KindSnapshot: proto.ScopeSnapshot})[e.Kind]; !slices.Equal(e.Scopes, []proto.Scope{scope}) {
			return fmt.Errorf("%w: it is for %s", errEntry, e.Scopes)
		}
	case accesslog.KindSettings:
		set := []string{proto.SetUpWiFi}
		if r.Op != proto.OpWiFi {
			var v proto.SettingsChange
			_ = json.Unmarshal(r.Body, &v) // a body of this client's own
			set = chosen(v)
		}
		if !slices.Equal(set, e.Set) {
			return fmt.Errorf("%w: it sets %s", errEntry, e.Set)
		}
	case accesslog.KindUpdate:
		var v proto.UpdateRequest
		if _ = json.Unmarshal(r.Body, &v); updateStep(r) != e.Step || v.Until != e.Until {
			return fmt.Errorf("%w: it is the step %s", errEntry, e.Step)
		}
	case accesslog.KindPrivacy:
		var v proto.Privacy
		if json.Unmarshal(r.Body, &v) != nil || v.On != (e.Reason == "on") {
			return fmt.Errorf("%w: it switches privacy %s", errEntry, e.Reason)
		}
	case accesslog.KindCertificate:
		var v proto.CertificateRequest
		if _ = json.Unmarshal(r.Body, &v); until(v) != e.Until {
			return fmt.Errorf("%w: it is for a certificate until %d", errEntry, e.Until)
		}
	}
	return nil
}

// updateStep returns the step of an update that a request makes; empty: none.
func updateStep(r proto.Request) proto.UpdateStepKind {
	var v proto.UpdateRequest
	if json.Unmarshal(r.Body, &v) != nil {
		return ""
	}
	return map[proto.UpdateDo]proto.UpdateStepKind{proto.UpdateDoInstall: proto.StepAsked, proto.UpdateDoPostpone: proto.StepPostponed}[v.Do]
}

// until returns when the certificate in a request ends; 0 if it can't be read.
func until(q proto.CertificateRequest) int64 {
	if len(q.Chain) == 0 {
		return 0
	}
	leaf, err := x509.ParseCertificate(q.Chain[0])
	if err != nil {
		return 0
	}
	return leaf.NotAfter.Unix()
}

// chosen returns a change of settings as the camera's log has it. docs/protocol.md 6.2.
func chosen(c proto.SettingsChange) (set []string) {
	for _, f := range []struct {
		name  string
		value *string
	}{{"name", c.Name}, {"time_zone", c.TimeZone}, {"privacy_off", c.PrivacyOff}, {"quiet_hours", c.QuietHours}, {"talk", c.Talk}, {"update_hours", c.UpdateHours}, {"push", c.Push}} {
		if f.value != nil {
			set = append(set, f.name+"="+*f.value)
		}
	}
	return set
}

func asGranted(r proto.Request, e accesslog.Entry) error {
	var g proto.Grant
	to, err := grantee(r.Body, &g)
	weekly := g.Weekly
	if w, err := schedule.Parse(weekly); weekly != "" && err == nil {
		weekly = w.String() // as the camera writes it
	}
	if err != nil || to != e.Subject || g.Name != e.SubjectName || g.Role != e.Role || !slices.Equal(g.Scopes, e.Scopes) ||
		weekly != e.Weekly || g.From != e.From || g.Until != e.Until {
		return fmt.Errorf("%w: it adds %s (%s)", errEntry, e.SubjectName, e.Subject)
	}
	return nil
}

// grantee reads a grant, and returns the client that it adds.
func grantee(body json.RawMessage, into *proto.Grant) (proto.ClientID, error) {
	if err := json.Unmarshal(body, into); err != nil {
		return "", err
	}
	to, err := envelope.VerifyKeyCard([]byte(into.Card))
	if err != nil {
		return "", err
	}
	return to.ClientID(), nil
}
