package attack

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// silence is what a request gets that is not even refused.
const silence proto.Code = ""

// family is a household with one of each role: Ben is an adult who lacks snapshot,
// Cara is his guest, Eve is Anna's.
type family struct {
	*house
	anna, ben, cara *hostile.Client
	eve             *home.Keys
}

func newFamily(t *testing.T) *family {
	t.Helper()
	h := newHome(t)
	ben := h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult,
		Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen, proto.ScopeMembers, proto.ScopeAudit}})
	f := &family{house: h, anna: h.probe, ben: h.as(ben), eve: h.invite(h.probe, proto.Grant{Name: "Eve"})}
	f.cara = h.as(h.invite(f.ben, proto.Grant{Name: "Cara"}))
	for _, c := range []*hostile.Client{f.anna, f.ben, f.cara} {
		c.Settle()
	}
	return f
}

// attempt sends a request of c's that was changed, which must change nothing.
func (f *family) attempt(name string, c *hostile.Client, g proto.Grant, change func(*hostile.Forgery), want proto.Code) {
	f.t.Helper()
	before := f.local("members", 0).Members
	r := c.Request(proto.OpGrant, "", g)
	if change != nil {
		change(r)
	}
	c.Send(r)
	c.Settle() // the next attempt begins with what this one heard: a topic's rate is bounded
	if a := c.Answers()[r.Claims["jti"].(string)]; a.Code != want {
		f.t.Errorf("%s is answered %q, not %q", name, a.Code, want)
	}
	if now := f.local("members", 0).Members; !reflect.DeepEqual(now, before) {
		f.t.Errorf("after %s the members are %+v", name, now)
	}
}

func TestT13GrantThatItsGiverMayNotGive(t *testing.T) {
	f := newFamily(t)
	fresh := func(g proto.Grant) proto.Grant { return rig.Complete(t, newKeys(t), g) }
	to := func(k *home.Keys, g proto.Grant) proto.Grant { return rig.Complete(t, k, g) }
	mixed, err := envelope.NewKeyCard(f.ben.Keys.Signer(), newKeys(t).Opener().PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	torn := fresh(proto.Grant{Name: "X"})
	torn.Card = string(flip([]byte(torn.Card), len(torn.Card)-40))
	swapped := fresh(proto.Grant{Name: "X"})
	swapped.Card = string(mixed)
	for name, x := range map[string]struct {
		by   *hostile.Client
		g    proto.Grant
		want proto.Code
	}{
		"a scope wider than the parent's":    {f.ben, fresh(proto.Grant{Name: "X", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeSnapshot}}), proto.CodeScope},
		"an adult made by an adult":          {f.ben, fresh(proto.Grant{Name: "X", Role: proto.RoleAdult, Scopes: []proto.Scope{proto.ScopeView}}), proto.CodeScope},
		"an owner made by an adult":          {f.ben, fresh(proto.Grant{Name: "X", Role: proto.RoleOwner}), proto.CodeScope},
		"an adult that makes itself owner":   {f.ben, to(f.ben.Keys, proto.Grant{Name: "Ben", Role: proto.RoleOwner}), proto.CodeScope},
		"another one's guest taken over":     {f.ben, to(f.eve, proto.Grant{Name: "Eve"}), proto.CodeScope},
		"an owner made a guest by an adult":  {f.ben, to(f.anna.Keys, proto.Grant{Name: "Anna"}), proto.CodeScope},
		"a guest's guest":                    {f.cara, fresh(proto.Grant{Name: "X"}), proto.CodeScope},
		"a guest that widens itself":         {f.cara, to(f.cara.Keys, proto.Grant{Name: "Cara", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeTalk}}), proto.CodeScope},
		"a guest that decides about others":  {f.anna, fresh(proto.Grant{Name: "X", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeMembers}}), proto.CodeBadRequest},
		"a scope that there is not":          {f.anna, fresh(proto.Grant{Name: "X", Scopes: []proto.Scope{"fly"}}), proto.CodeBadRequest},
		"a scope twice":                      {f.anna, fresh(proto.Grant{Name: "X", Scopes: []proto.Scope{proto.ScopeView, proto.ScopeView}}), proto.CodeBadRequest},
		"no scope":                           {f.anna, fresh(proto.Grant{Name: "X", Scopes: []proto.Scope{}}), proto.CodeBadRequest},
		"a role that there is not":           {f.anna, fresh(proto.Grant{Name: "X", Role: "king", Scopes: []proto.Scope{proto.ScopeView}}), proto.CodeBadRequest},
		"an owner with an end":               {f.anna, fresh(proto.Grant{Name: "X", Role: proto.RoleOwner, Until: 1 << 32}), proto.CodeBadRequest},
		"an end before its beginning":        {f.anna, fresh(proto.Grant{Name: "X", From: 2000, Until: 1000}), proto.CodeBadRequest},
		"a name that plays with terminals":   {f.anna, fresh(proto.Grant{Name: "X\x1b[2J"}), proto.CodeBadName},
		"a name that another one has":        {f.anna, fresh(proto.Grant{Name: "Ben"}), proto.CodeNameTaken},
		"a key card that was changed":        {f.anna, torn, proto.CodeBadRequest},
		"a member's name with another key":   {f.anna, swapped, proto.CodeBadRequest},
		"the last owner made an adult":       {f.anna, to(f.anna.Keys, proto.Grant{Name: "Anna", Role: proto.RoleAdult}), proto.CodeLastOwner},
		"a guest who would have a guest":     {f.anna, to(f.ben.Keys, proto.Grant{Name: "Ben"}), proto.CodeHasGuests},
		"a schedule that is none":            {f.anna, fresh(proto.Grant{Name: "X", Weekly: "always"}), proto.CodeBadRequest},
		"a key card of nobody's":             {f.anna, proto.Grant{Name: "X", Role: proto.RoleGuest, Scopes: []proto.Scope{proto.ScopeView}}, proto.CodeBadRequest},
		"an owner with less than all scopes": {f.anna, fresh(proto.Grant{Name: "X", Role: proto.RoleOwner, Scopes: []proto.Scope{proto.ScopeView}}), proto.CodeBadRequest},
	} {
		f.attempt(name, x.by, x.g, nil, x.want)
	}
	f.sees(f.Dial(f.eve, f.owner.Record()))
	f.does(f.ben, proto.OpGrant, fresh(proto.Grant{Name: "X"}), proto.CodeOK) // the control
}

func TestT13GrantThatIsForged(t *testing.T) {
	f := newFamily(t)
	public, err := x509.MarshalPKIXPublicKey(f.anna.Keys.Signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := envelope.SigJWK(f.ben.Keys.Signer().Public().(*ecdsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	g := rig.Complete(t, newKeys(t), proto.Grant{Name: "X", Role: proto.RoleOwner})
	epoch := f.owner.Record().Epoch
	insert := func(before, text string) func(*hostile.Forgery) {
		return func(r *hostile.Forgery) {
			claims, err := json.Marshal(r.Claims)
			if err != nil || !strings.Contains(string(claims), before) {
				t.Fatalf("no %s in %s: %v", before, claims, err)
			}
			r.RawClaims = strings.Replace(string(claims), before, text+before, 1)
		}
	}
	for name, change := range map[string]func(*hostile.Forgery){
		"of the epoch before":        func(r *hostile.Forgery) { r.Claims["ep"] = epoch - 1 },
		"of the epoch to come":       func(r *hostile.Forgery) { r.Claims["ep"] = epoch + 1 },
		"for another device":         func(r *hostile.Forgery) { r.Claims["aud"] = strings.Repeat("a", 26) },
		"with alg none":              func(r *hostile.Forgery) { r.Header["alg"], r.Sign = "none", hostile.Unsigned },
		"without a signature":        func(r *hostile.Forgery) { r.Sign = hostile.Unsigned },
		"with HS256":                 func(r *hostile.Forgery) { r.Header["alg"], r.Sign = "HS256", hostile.HS256(public) },
		"signed by another member":   func(r *hostile.Forgery) { r.Sign = hostile.ES256(f.ben.Keys.Signer()) },
		"with its own key in it":     func(r *hostile.Forgery) { r.Header["jwk"], r.Sign = jwk, hostile.ES256(f.ben.Keys.Signer()) },
		"in an adult's name":         func(r *hostile.Forgery) { r.Claims["iss"] = f.ben.Keys.ID() },
		"of the type of a key card":  func(r *hostile.Forgery) { r.Header["typ"] = envelope.TypeKeyCard },
		"with two bodies":            insert(`"body":{`, `"body":{"name":"Y"},`),
		"with two roles":             insert(`"role":"owner"`, `"role":"guest",`),
		"with two roles by case":     insert(`"role":"owner"`, `"Role":"guest",`),
		"with two operations":        insert(`"op":"grant"`, `"op":"status",`),
		"with two operations by key": insert(`"op":"grant"`, `"OP":"status",`),
	} {
		f.attempt("a grant "+name, f.anna, g, change, silence)
	}
	f.does(f.anna, proto.OpGrant, g, proto.CodeOK) // the control
}

func TestT13GrantThatIsRepeated(t *testing.T) {
	f := newFamily(t)
	zoe := newKeys(t)
	g := rig.Complete(t, zoe, proto.Grant{Name: "Zoe"})
	f.anna.Settle()
	given := f.anna.Request(proto.OpGrant, "", g)
	jws := given.JWS()
	given.Inner = jws
	if a := f.anna.Do(given); a.Code != proto.CodeOK {
		t.Fatalf("an owner's grant is answered %q", a.Code)
	}
	f.repeat(given, g, "at once")
	f.does(f.anna, proto.OpRevoke, proto.Revoke{Client: zoe.ID()}, proto.CodeOK)
	replay := func(when string) {
		f.ben.Hello()
		f.cara.Hello()
		for name, c := range map[string]*hostile.Client{"its giver's topic": f.anna, "another member's topic": f.ben, "a guest's topic": f.cara} {
			f.attempt("a grant that is repeated word by word "+when+" on "+name, c, g, func(r *hostile.Forgery) { r.Inner = jws }, silence)
		}
	}
	replay("after its revocation")
	f.stop()
	f.again()
	replay("after a restart")
	f.does(f.anna, proto.OpGrant, g, proto.CodeOK) // the control: by a request of its own
	f.repeat(given, g, "after a restart")
	if n := f.entered(accesslog.KindGrant); n != 5 {
		t.Errorf("%d grants were made, not 5", n)
	}
}

// repeat sends another request with the jti of a grant that was carried out: the same
// is answered again and not done again, another one is refused.
func (f *family) repeat(given *hostile.Forgery, g proto.Grant, when string) {
	f.t.Helper()
	grants := f.entered(accesslog.KindGrant)
	other := g
	other.Role, other.Scopes = proto.RoleOwner, proto.OwnerScopes()
	for _, x := range []struct {
		name string
		g    proto.Grant
		want proto.Code
	}{{"another body", other, proto.CodeBadRequest}, {"the same", g, proto.CodeOK}} {
		f.anna.Settle()
		r := f.anna.Request(proto.OpGrant, "", x.g)
		r.Claims["jti"] = given.Claims["jti"]
		before := len(f.evil.Messages())
		f.anna.Send(r)
		f.anna.Settle()
		if a := f.lastAnswer(f.anna, before, given.Claims["jti"].(string)); a != x.want {
			f.t.Errorf("%s under the same jti %s is answered %q, not %q", x.name, when, a, x.want)
		}
	}
	if n := f.entered(accesslog.KindGrant); n != grants {
		f.t.Errorf("%d grants were made under one jti %s", n-grants, when)
	}
}

// lastAnswer finds what a request was answered after a number of messages.
func (h *house) lastAnswer(c *hostile.Client, after int, jti string) (code proto.Code) {
	h.t.Helper()
	for _, m := range h.evil.Messages()[after:] {
		out, err := envelope.OpenOut(m.Payload, c.Keys.Opener(), c.Trio.Sig)
		if err == nil && out.Answer != nil && out.Answer.Re == jti {
			code = out.Answer.Code
		}
	}
	return code
}
