package auth

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

func scopesOf(l ...proto.Scope) func(*proto.Grant) { return func(g *proto.Grant) { g.Scopes = l } }

func named(name string) func(*proto.Grant) { return func(g *proto.Grant) { g.Name = name } }

func weekly(s string) func(*proto.Grant) { return func(g *proto.Grant) { g.Weekly = s } }

func between(from, until int64) func(*proto.Grant) {
	return func(g *proto.Grant) { g.From, g.Until = from, until }
}

// Who may make whom. T13.
func TestGrantByRole(t *testing.T) {
	for name, c := range map[string]struct {
		by   string
		role proto.Role
		f    func(*proto.Grant)
		want proto.Code
	}{
		"owner makes an owner":                    {"Anna", proto.RoleOwner, nil, proto.CodeOK},
		"owner makes an adult":                    {"Anna", proto.RoleAdult, nil, proto.CodeOK},
		"owner makes a guest":                     {"Anna", proto.RoleGuest, nil, proto.CodeOK},
		"adult makes a guest":                     {"Bob", proto.RoleGuest, nil, proto.CodeOK},
		"adult makes an owner":                    {"Bob", proto.RoleOwner, nil, proto.CodeScope},
		"adult makes an adult":                    {"Bob", proto.RoleAdult, nil, proto.CodeScope},
		"guest makes a guest":                     {"Carl", proto.RoleGuest, nil, proto.CodeScope},
		"guest of an adult makes a guest":         {"Dora", proto.RoleGuest, nil, proto.CodeScope},
		"the most that an adult can have":         {"Anna", proto.RoleAdult, scopesOf(proto.OwnerScopes()...), proto.CodeOK},
		"the most that a guest can have":          {"Anna", proto.RoleGuest, scopesOf(proto.RoleGuest.Most()...), proto.CodeOK},
		"guest that decides about members":        {"Anna", proto.RoleGuest, scopesOf(proto.ScopeMembers), proto.CodeBadRequest},
		"guest that changes settings":             {"Anna", proto.RoleGuest, scopesOf(proto.ScopeView, proto.ScopeSettings), proto.CodeBadRequest},
		"guest that updates":                      {"Anna", proto.RoleGuest, scopesOf(proto.ScopeUpdate), proto.CodeBadRequest},
		"guest that reads the log":                {"Anna", proto.RoleGuest, scopesOf(proto.ScopeAudit), proto.CodeBadRequest},
		"adult with less than it may have":        {"Anna", proto.RoleAdult, scopesOf(proto.ScopeView), proto.CodeOK},
		"owner with less than all":                {"Anna", proto.RoleOwner, scopesOf(proto.ScopeView), proto.CodeBadRequest},
		"owner with a schedule":                   {"Anna", proto.RoleOwner, weekly("Mo 08:00-09:00"), proto.CodeBadRequest},
		"owner with an end":                       {"Anna", proto.RoleOwner, between(0, 4e9), proto.CodeBadRequest},
		"owner with a beginning":                  {"Anna", proto.RoleOwner, between(4e9, 0), proto.CodeBadRequest},
		"no such role":                            {"Anna", "king", scopesOf(proto.ScopeView), proto.CodeBadRequest},
		"no role":                                 {"Anna", "", scopesOf(proto.ScopeView), proto.CodeBadRequest},
		"no scopes":                               {"Anna", proto.RoleGuest, scopesOf(), proto.CodeBadRequest},
		"no such scope":                           {"Anna", proto.RoleGuest, scopesOf("everything"), proto.CodeBadRequest},
		"a scope twice":                           {"Anna", proto.RoleGuest, scopesOf(proto.ScopeView, proto.ScopeView), proto.CodeBadRequest},
		"adult gives what it has":                 {"Bob", proto.RoleGuest, scopesOf(proto.ScopeView, proto.ScopeTalk), proto.CodeOK},
		"name of another":                         {"Anna", proto.RoleGuest, named("Bob"), proto.CodeNameTaken},
		"no name":                                 {"Anna", proto.RoleGuest, named(""), proto.CodeBadName},
		"name with a line end":                    {"Anna", proto.RoleGuest, named("Eve\nAnna"), proto.CodeBadName},
		"name that turns the line around":         {"Anna", proto.RoleGuest, named("Eve\u202eanna"), proto.CodeBadName},
		"name with a blank at its end":            {"Anna", proto.RoleGuest, named("Bob "), proto.CodeBadName},
		"name that is too long":                   {"Anna", proto.RoleGuest, named(strings.Repeat("x", naming.MaxBytes+1)), proto.CodeBadName},
		"longest name":                            {"Anna", proto.RoleGuest, named(strings.Repeat("x", naming.MaxBytes)), proto.CodeOK},
		"schedule":                                {"Anna", proto.RoleGuest, weekly("Mo-Fr 08:00-17:00"), proto.CodeOK},
		"schedule that is none":                   {"Anna", proto.RoleGuest, weekly("weekdays"), proto.CodeBadRequest},
		"schedule of blanks":                      {"Anna", proto.RoleGuest, weekly(" "), proto.CodeBadRequest},
		"schedule that begins when it ends":       {"Anna", proto.RoleGuest, weekly("Mo 08:00-08:00"), proto.CodeBadRequest},
		"end before the beginning":                {"Anna", proto.RoleGuest, between(20, 10), proto.CodeBadRequest},
		"end at the beginning":                    {"Anna", proto.RoleGuest, between(10, 10), proto.CodeBadRequest},
		"times below zero":                        {"Anna", proto.RoleGuest, between(-1, 10), proto.CodeBadRequest},
		"end below zero":                          {"Anna", proto.RoleGuest, between(0, -1), proto.CodeBadRequest},
		"end beyond what JSON keeps":              {"Anna", proto.RoleGuest, between(0, maxInteger+1), proto.CodeBadRequest},
		"beginning beyond what JSON keeps":        {"Anna", proto.RoleGuest, between(maxInteger+1, 0), proto.CodeBadRequest},
		"no card":                                 {"Anna", proto.RoleGuest, func(g *proto.Grant) { g.Card = "" }, proto.CodeBadRequest},
		"card of a key that somebody else signed": {"Anna", proto.RoleGuest, func(g *proto.Grant) { g.Card = g.Card[:len(g.Card)-6] + "AAAAAA" }, proto.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, dora := h.household()
				by := map[string]*person{"Anna": anna, "Bob": bob, "Carl": carl, "Dora": dora}[c.by]
				by.must(proto.OpMembers, nil) // it has seen the newest change
				eve := h.stranger("Eve")
				f := c.f
				if f == nil {
					f = func(*proto.Grant) {}
				}
				before := h.size()
				a := by.ask(proto.OpGrant, eve.grant(c.role, f))
				if a.Code != c.want {
					t.Fatalf("answer: %s, want %s", a.Code, c.want)
				}
				if c.want != proto.CodeOK {
					if eve.row() != nil || slices.Contains(h.kinds(before), accesslog.KindGrant) {
						t.Errorf("refused, and yet: row %+v, log %v", eve.row(), h.kinds(before))
					}
					return
				}
				m := eve.row()
				if m == nil || m.Role != c.role || (m.Parent == by.id) != (c.role == proto.RoleGuest) || m.By != c.by {
					t.Errorf("row: %+v", m)
				}
			})
		})
	}
}

// An adult can't give what it does not have, nor more than it has later.
func TestGrantWithinTheGranter(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		bob := anna.lets("Bob", proto.RoleAdult, scopesOf(proto.ScopeView, proto.ScopeMembers))
		eve := h.stranger("Eve")
		bob.want(proto.CodeScope, proto.OpGrant, eve.grant(proto.RoleGuest, scopesOf(proto.ScopeView, proto.ScopeListen)))
		bob.must(proto.OpGrant, eve.grant(proto.RoleGuest, scopesOf(proto.ScopeView)))
		eve.must(proto.OpLive, view(proto.ScopeView), in("s1"))
		anna.must(proto.OpMembers, nil)
		anna.must(proto.OpGrant, bob.grant(proto.RoleAdult, scopesOf(proto.ScopeListen, proto.ScopeMembers)))
		eve.want(proto.CodeScope, proto.OpLive, view(proto.ScopeView), in("s2")) // its parent has it no more
		bob.must(proto.OpStatus, nil)
		bob.want(proto.CodeScope, proto.OpGrant, eve.grant(proto.RoleGuest, scopesOf(proto.ScopeView)))
	})
}

// Without members nobody grants, whatever the role.
func TestGrantNeedsTheScopeMembers(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		bob := anna.lets("Bob", proto.RoleAdult, scopesOf(proto.ScopeView))
		bob.want(proto.CodeScope, proto.OpGrant, h.stranger("Eve").grant(proto.RoleGuest, scopesOf(proto.ScopeView)))
	})
}

// Who may replace a row, and by what.
func TestGrantReplaces(t *testing.T) {
	for name, c := range map[string]struct {
		by, whom string
		role     proto.Role
		f        func(*proto.Grant)
		want     proto.Code
	}{
		"owner changes an adult":             {"Anna", "Bob", proto.RoleAdult, scopesOf(proto.ScopeListen), proto.CodeOK},
		"owner makes an adult an owner":      {"Anna", "Bob", proto.RoleOwner, nil, proto.CodeOK},
		"owner takes over an adult's guest":  {"Anna", "Dora", proto.RoleGuest, nil, proto.CodeOK},
		"owner makes a guest an adult":       {"Anna", "Carl", proto.RoleAdult, nil, proto.CodeOK},
		"owner renames itself":               {"Anna", "Anna", proto.RoleOwner, named("Ann"), proto.CodeOK},
		"adult changes its guest":            {"Bob", "Dora", proto.RoleGuest, scopesOf(proto.ScopeView), proto.CodeOK},
		"adult changes an owner's guest":     {"Bob", "Carl", proto.RoleGuest, scopesOf(proto.ScopeView), proto.CodeScope},
		"adult makes the owner a guest":      {"Bob", "Anna", proto.RoleGuest, nil, proto.CodeScope},
		"adult makes its guest an adult":     {"Bob", "Dora", proto.RoleAdult, nil, proto.CodeScope},
		"adult changes itself":               {"Bob", "Bob", proto.RoleAdult, scopesOf(proto.OwnerScopes()...), proto.CodeScope},
		"adult makes itself a guest":         {"Bob", "Bob", proto.RoleGuest, nil, proto.CodeScope},
		"guest changes itself":               {"Carl", "Carl", proto.RoleGuest, nil, proto.CodeScope},
		"last owner becomes an adult":        {"Anna", "Anna", proto.RoleAdult, nil, proto.CodeLastOwner},
		"last owner becomes a guest":         {"Anna", "Anna", proto.RoleGuest, nil, proto.CodeLastOwner},
		"adult with guests becomes a guest":  {"Anna", "Bob", proto.RoleGuest, nil, proto.CodeHasGuests},
		"guest gets another's name":          {"Anna", "Carl", proto.RoleGuest, named("Bob"), proto.CodeNameTaken},
		"guest keeps its name":               {"Anna", "Carl", proto.RoleGuest, named("Carl"), proto.CodeOK},
		"another encryption key for its key": {"Anna", "Carl", proto.RoleGuest, nil, proto.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna, bob, carl, dora := h.household()
				people := map[string]*person{"Anna": anna, "Bob": bob, "Carl": carl, "Dora": dora}
				by, whom := people[c.by], people[c.whom]
				by.must(proto.OpMembers, nil)
				if strings.HasPrefix(name, "another encryption key") {
					enc, err := ecdh.P256().GenerateKey(rand.Reader)
					if err != nil {
						t.Fatal(err)
					}
					whom.enc = enc
				}
				f := c.f
				if f == nil {
					f = func(*proto.Grant) {}
				}
				before := whom.row()
				a := by.code(proto.OpGrant, whom.grant(c.role, f))
				if a != c.want {
					t.Errorf("answer: %s, want %s", a, c.want)
				}
				if (a == proto.CodeOK) == (whom.row() == before) {
					t.Errorf("%s, and the row is %+v", a, whom.row())
				}
				if m := whom.row(); a == proto.CodeOK && (m.Added != before.Added || m.Role != c.role) {
					t.Errorf("row: %+v", m)
				}
			})
		})
	}
}

// With another owner there, one of them can step down; nobody becomes one's own guest.
func TestOwnerStepsDown(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		berta := anna.lets("Berta", proto.RoleOwner)
		anna.want(proto.CodeBadRequest, proto.OpGrant, anna.grant(proto.RoleGuest))
		as, others := anna.watch("s1", proto.ScopeView), berta.watch("s1", proto.ScopeView)
		anna.must(proto.OpGrant, anna.grant(proto.RoleOwner, named("Ann")))
		if as.over() {
			t.Error("who stays an owner loses what it watches")
		}
		owner := h.a.members.get(anna.id)
		anna.must(proto.OpGrant, anna.grant(proto.RoleAdult))
		if code := h.a.sessions.begin(owner, new(atomic.Bool), &session{scopes: []proto.Scope{proto.ScopeView}}); code != proto.CodeScope {
			t.Errorf("what was decided for the owner that it was begins with %q", code)
		}
		if !as.over() || others.over() { // an owner has all places, which an adult must not keep
			t.Errorf("who steps down watches on: %v, the other owner does: %v", !as.over(), !others.over())
		}
		anna.want(proto.CodeScope, proto.OpGrant, h.stranger("Eve").grant(proto.RoleAdult))
		berta.must(proto.OpMembers, nil)
		berta.want(proto.CodeLastOwner, proto.OpGrant, berta.grant(proto.RoleAdult))
	})
}

func TestTooManyMembers(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		for i := range proto.MaxMembers - 1 {
			anna.must(proto.OpGrant, h.stranger(strings.Repeat("x", i+1)).grant(proto.RoleGuest))
		}
		eve := h.stranger("Eve")
		anna.want(proto.CodeTooManyMembers, proto.OpGrant, eve.grant(proto.RoleGuest))
		anna.must(proto.OpGrant, anna.grant(proto.RoleOwner, named("Ann"))) // nobody is added
		var somebody proto.ClientID
		for id := range h.a.members.current.Load().members {
			if id != anna.id {
				somebody = id
			}
		}
		anna.must(proto.OpRevoke, proto.Revoke{Client: somebody})
		anna.must(proto.OpGrant, eve.grant(proto.RoleGuest))
	})
}

// What is kept of a grant is what was signed, and the log names it.
func TestGrantIsKeptVerbatim(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		eve := h.stranger("Eve")
		body := eve.grant(proto.RoleGuest, weekly("we,SA 10:00-00:00;mo-fr  8:00-12:00"))
		anna.want(proto.CodeBadRequest, proto.OpGrant, body)
		body.Weekly = "mo-fr  08:00-12:00 ;we,SA 10:00-00:00"
		now, _ := h.wall.now()
		body.From, body.Until = now.Unix(), now.Unix()+3600
		index := h.size()
		a := anna.must(proto.OpGrant, body)
		if got := read[proto.GrantAnswer](t, a); got.Client != eve.id {
			t.Errorf("answer: %+v", got)
		}
		m := eve.row()
		const canonical = "Mo-Fr 08:00-12:00; We,Sa 10:00-24:00"
		if m.Weekly != canonical || m.From != body.From || m.Until != body.Until || m.Entry != index {
			t.Errorf("row: %+v", m)
		}
		parts := strings.Split(m.Grant, ".")
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		var r proto.Request
		if err == nil {
			err = json.Unmarshal(claims, &r)
		}
		if err != nil || r.Op != proto.OpGrant || r.ID != a.Re || !strings.Contains(string(r.Body), body.Weekly) {
			t.Errorf("kept: %+v, %v", r, err)
		}
		var verified proto.Request
		if err := envelope.Verify([]byte(m.Grant), envelope.TypeRequest, string(anna.id), &anna.sig.PublicKey, &verified); err != nil {
			t.Errorf("what is kept is not as it was signed: %v", err)
		}
		sum := sha256.Sum256([]byte(m.Grant))
		e := h.entries(index)[0]
		if e.Kind != accesslog.KindGrant || e.Grant != base64.RawURLEncoding.EncodeToString(sum[:]) || e.Weekly != canonical ||
			e.Client != anna.id || e.Name != "Anna" || e.Subject != eve.id || e.SubjectName != "Eve" ||
			e.Role != proto.RoleGuest || e.From != body.From || e.Until != body.Until || e.Network != accesslog.NetMQTT {
			t.Errorf("entry: %+v", e)
		}
		h.restart()
		if again := eve.row(); again == nil || again.Grant != m.Grant || again.Weekly != canonical || again.Parent != anna.id {
			t.Errorf("after a restart: %+v", again)
		}
	})
}

// The entry of the longest grant, and of its revocation, fits; one that doesn't would
// look like a failing storage.
func TestLongestEntriesFit(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		long := strings.Repeat(`"`, naming.MaxBytes-1)
		anna := h.owner(long + "A")
		week := strings.Join(slices.Repeat([]string{"Mo,We,Fr 00:00-00:01"}, 11), "; ")
		eve := h.stranger(long + "E")
		anna.must(proto.OpGrant, eve.grant(proto.RoleAdult, scopesOf(proto.OwnerScopes()...), weekly(week), between(maxInteger-1, maxInteger)))
		anna.must(proto.OpRevoke, proto.Revoke{Client: eve.id})
	})
}

// A grant is carried out once, however often it is repeated, after a restart too, and
// after the one whom it let in was removed.
func TestGrantIsCarriedOutOnce(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		berta := anna.lets("Berta", proto.RoleOwner)
		eve := h.stranger("Eve")
		body := eve.grant(proto.RoleGuest)
		index := h.size()
		cp := anna.seen.Note
		first := anna.must(proto.OpGrant, body, as("same"))
		repeat := func(when string, by *person, b proto.Grant, want proto.Code) {
			t.Helper()
			before := h.size()
			a := by.ask(proto.OpGrant, b, as("same"), func(r *proto.Request) { r.Checkpoint = cp })
			if a.Code != want || h.size() != before {
				t.Errorf("%s: %s and %d new entries", when, a.Code, h.size()-before)
			}
			if want == proto.CodeOK && (string(a.Body) != string(first.Body) || by.proof.Entry == nil || by.proof.Entry.Index != index) {
				t.Errorf("%s: %s, proof %+v", when, a.Body, by.proof.Entry)
			}
		}
		repeat("at once", anna, body, proto.CodeOK)
		anna.must(proto.OpRevoke, proto.Revoke{Client: eve.id})
		repeat("after the revocation", anna, body, proto.CodeOK)
		h.restart()
		repeat("after a restart", anna, body, proto.CodeOK)
		if eve.row() != nil {
			t.Errorf("the repetition let in who was removed: %+v", eve.row())
		}
		other := body
		other.Name = "Evelyn"
		repeat("with another body", anna, other, proto.CodeBadRequest)
		repeat("by another member, who has not seen the newest change", berta, body, proto.CodeStateChanged)
		anna.must(proto.OpMembers, nil)
		anna.must(proto.OpGrant, body) // a grant of its own lets in again who was removed
		if m := eve.row(); m == nil || h.a.members.former(eve.id) != nil {
			t.Errorf("granted again: %+v", m)
		}
	})
}

// What is remembered of grants is bounded.
func TestRememberedGrantsAreBounded(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		eve := h.stranger("Eve")
		db := h.a.trust
		for i := range maxGrants + 20 {
			err := db.Update(func(tx *store.Tx) error {
				return putDone(tx, doneKey(anna.id, rand.Text()), done{Client: eve.id, Entry: uint64(i)})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		n, lowest := 0, uint64(1<<62)
		err := db.View(func(tx *store.Tx) error {
			return grants.ForEach(tx, "", func(_ string, value []byte) error {
				var d done
				n++
				err := json.Unmarshal(value, &d)
				lowest = min(lowest, d.Entry)
				return err
			})
		})
		if err != nil || n != maxGrants || lowest != 20 {
			t.Errorf("%d are kept, the oldest of entry %d, %v", n, lowest, err)
		}
	})
}
