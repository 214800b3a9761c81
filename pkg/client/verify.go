package client

import (
	"context"
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

// base is the checkpoint that a request carries in all its sendings: what this
// client verified last. One that widens carries what the person had seen, who has
// to have seen something. docs/protocol.md 4.6.
func (c *Camera) base(ctx context.Context, r proto.Request) (accesslog.Checkpoint, error) {
	if !widens(r) {
		return c.household.Checkpoint()
	}
	if held := c.held.Load(); held != nil {
		return *held, nil
	}
	cp, err := c.household.Checkpoint()
	if err != nil || cp.Note != "" {
		return cp, err
	}
	if _, err := c.exchange(ctx, proto.Request{Op: proto.OpStatus, ID: randomID()}, cp); err != nil {
		return cp, err
	}
	return c.household.Checkpoint()
}

// Hold binds what widens rights from here on to what was verified by now, so that
// what a program looks up by itself does not count as seen by the person. The
// camera's refusal state_changed ends it.
func (c *Camera) Hold() error {
	cp, err := c.household.Checkpoint()
	if err == nil && cp.Note != "" {
		c.held.Store(&cp)
	}
	return err
}

// widens tells of a request that gives rights to someone.
func widens(r proto.Request) bool {
	switch r.Op {
	case proto.OpGrant, proto.OpSetSettings:
		return true
	case proto.OpPrivacy:
		var p proto.Privacy
		return json.Unmarshal(r.Body, &p) == nil && !p.On
	case proto.OpRevoke:
		var v proto.Revoke
		return json.Unmarshal(r.Body, &v) == nil && v.KeepGuests
	}
	return false
}

// verify checks what an answer says of the access log against from, the checkpoint
// that the request carried, and returns how many entries it has; 0 if that is not
// proved. docs/protocol.md 6.7.
func (c *Camera) verify(ctx context.Context, r proto.Request, from accesslog.Checkpoint, a proto.Answer) uint64 {
	if a.Checkpoint == "" && a.Code != proto.CodeOK || r.Op == proto.OpHello {
		return 0 // nothing was done, and nothing is said
	}
	now, p, err := c.continues(from, a)
	if err == nil {
		err = c.included(r, a, from, now, p)
	}
	if err == nil {
		var other *accesslog.Checkpoint
		if other, err = c.household.Advance(from, now); other != nil {
			err = &breach{home.AlarmFork, other.Note, accesslog.ErrFork}
		}
	}
	var b *breach
	switch {
	case errors.As(err, &b):
		c.raise(ctx, r, a.Checkpoint, b)
		return 0
	case err != nil:
		c.log.Warn("can't keep what was verified of the access log", "error", err)
	}
	return now.Size
}

// continues proves that the answer's log is the one of before and only grew.
func (c *Camera) continues(from accesslog.Checkpoint, a proto.Answer) (accesslog.Checkpoint, accesslog.Proof, error) {
	var p accesslog.Proof
	now, err := c.household.ParseCheckpoint(a.Checkpoint)
	if err != nil {
		return now, p, &breach{home.AlarmCheckpoint, from.Note, err}
	}
	if a.Proof != nil {
		if err := envelope.Decode(a.Proof, &p); err != nil {
			return now, p, &breach{home.AlarmProof, from.Note, err}
		}
	}
	if from.Note == "" {
		return now, p, nil
	}
	err = accesslog.VerifyConsistency(from, now, p)
	switch {
	case errors.Is(err, accesslog.ErrRollback):
		err = &breach{home.AlarmRollback, from.Note, err}
	case errors.Is(err, accesslog.ErrFork):
		err = &breach{home.AlarmFork, from.Note, err}
	case err != nil && len(p.Consistency) == 0 && now.Size-from.Size >= c.kept:
		err = &breach{home.AlarmAway, from.Note, err}
	case err != nil:
		err = &breach{home.AlarmProof, from.Note, err}
	}
	return now, p, err
}

// entered names the kind of entry that an operation makes.
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

// included proves that what the camera did is in its log, as it was asked for.
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

// changed tells whether an answer says that something was done, which is then in
// the log: who is gone already is not removed again, and privacy that is on stays so.
func changed(r proto.Request, a proto.Answer) bool {
	if r.Op == proto.OpRevoke {
		var body proto.RevokeAnswer
		return json.Unmarshal(a.Body, &body) != nil || len(body.Revoked) > 0
	}
	if r.Op == proto.OpUpdate { // looking, for a release too, is not logged
		return deeds(r) != ""
	}
	if r.Op == proto.OpCertificate { // neither is looking at it, nor what the camera did not take
		return taken(r, a)
	}
	if r.Op == proto.OpWiFi { // nor is looking, nor what the camera did not try
		return tried(r, a)
	}
	return r.Op != proto.OpPrivacy
}

// asAsked compares an entry with the request that made it.
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
		if !slices.Equal(setBy(r), e.Set) {
			return fmt.Errorf("%w: it sets %s", errEntry, e.Set)
		}
	case accesslog.KindUpdate:
		var v proto.UpdateRequest
		if _ = json.Unmarshal(r.Body, &v); deeds(r) != e.Step || v.Until != e.Until {
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

// deeds is what a request about an update has the camera log; empty: nothing.
func deeds(r proto.Request) proto.UpdateStepKind {
	var v proto.UpdateRequest
	if json.Unmarshal(r.Body, &v) != nil {
		return ""
	}
	return map[proto.UpdateDo]proto.UpdateStepKind{proto.UpdateDoInstall: proto.StepAsked, proto.UpdateDoPostpone: proto.StepPostponed}[v.Do]
}

// taken reports whether an answer says that the camera took a certificate.
func taken(r proto.Request, a proto.Answer) bool {
	var asked proto.CertificateRequest
	var now proto.CertificateStatus
	if json.Unmarshal(r.Body, &asked) != nil || asked.Do != proto.CertificateDoSet {
		return false
	}
	return json.Unmarshal(a.Body, &now) != nil || now.Problem == ""
}

// tried reports whether an answer says that the camera tries another Wi-Fi network.
func tried(r proto.Request, a proto.Answer) bool {
	var asked proto.WiFiRequest
	var now proto.WiFiStatus
	if json.Unmarshal(r.Body, &asked) != nil || asked.Do != proto.WiFiDoJoin {
		return false
	}
	return json.Unmarshal(a.Body, &now) != nil || now.Problem == nil
}

// until is when what a request gives ends; 0 for what is no certificate.
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

// setBy is what a request has the camera's log say that it sets.
func setBy(r proto.Request) []string {
	if r.Op == proto.OpWiFi {
		return []string{proto.SetUpWiFi}
	}
	var v proto.SettingsChange
	_ = json.Unmarshal(r.Body, &v) // a body of this client's own
	return chosen(v)
}

// chosen is a change as the camera's log tells it. docs/protocol.md 6.2.
func chosen(c proto.SettingsChange) (set []string) {
	for _, f := range []struct {
		name  string
		value *string
	}{{"name", c.Name}, {"time_zone", c.TimeZone}, {"privacy_off", c.PrivacyOff}, {"quiet_hours", c.QuietHours}, {"talk", c.Talk}, {"update_hours", c.UpdateHours}} {
		if f.value != nil {
			set = append(set, f.name+"="+*f.value)
		}
	}
	return set
}

func asGranted(r proto.Request, e accesslog.Entry) error {
	var g proto.Grant
	if err := json.Unmarshal(r.Body, &g); err != nil {
		return err
	}
	to, err := envelope.VerifyKeyCard([]byte(g.Card))
	if err != nil || to.ClientID() != e.Subject || g.Name != e.SubjectName || g.Role != e.Role || !slices.Equal(g.Scopes, e.Scopes) ||
		canonical(g.Weekly) != e.Weekly || g.From != e.From || g.Until != e.Until {
		return fmt.Errorf("%w: it lets in %s (%s)", errEntry, e.SubjectName, e.Subject)
	}
	return nil
}

// canonical is a schedule as the camera writes it; what is none stays as it is.
func canonical(weekly string) string {
	w, err := schedule.Parse(weekly)
	if weekly == "" || err != nil {
		return weekly
	}
	return w.String()
}
