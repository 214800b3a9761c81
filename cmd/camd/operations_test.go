package main

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim"
)

// bodies are requests for the operations that need different things for different ones.
var bodies = map[proto.Op][]any{
	proto.OpLive:        {proto.LiveRequest{Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}}},
	proto.OpEvents:      {proto.EventsRequest{}, proto.EventsRequest{Snapshot: "s"}},
	proto.OpRevoke:      {proto.Revoke{}, proto.Revoke{KeepGuests: true}},
	proto.OpPrivacy:     {proto.Privacy{On: true}, proto.Privacy{}},
	proto.OpUpdate:      {proto.UpdateRequest{Do: proto.UpdateDoStatus}, proto.UpdateRequest{Do: proto.UpdateDoInstall}},
	proto.OpPush:        {proto.PushRequest{Do: proto.PushDoStatus}},
	proto.OpCertificate: {proto.CertificateRequest{Do: proto.CertificateDoStatus}, proto.CertificateRequest{Do: proto.CertificateDoSet}},
}

// asked is an operation of the table, with what it says of its bodies together.
type asked struct {
	kind        string // Query, Change, Session
	none        bool   // takes no body
	scopes      []string
	looks       bool // one of its bodies needs no scope
	owners      bool // its Check refuses an adult
	widens      bool
	narrows     bool
	always      bool
	asksTheRoom bool // a session that asks who is in the room, and waits for them
}

func read(op proto.Op, o auth.Operation) (a asked) {
	v := reflect.ValueOf(o)
	a.kind, _, _ = strings.Cut(v.Type().Name(), "[")
	a.none = strings.Contains(v.Type().Name(), "auth.None]")
	call := func(field string, in ...any) any {
		f := v.FieldByName(field)
		if !f.IsValid() || f.IsNil() {
			return nil
		}
		var args []reflect.Value
		for _, x := range in {
			args = append(args, reflect.ValueOf(x))
		}
		return f.Call(args)[0].Interface()
	}
	l := bodies[op]
	if l == nil { // the zero value of whatever its functions take last
		do := map[string]string{"Query": "Answer", "Change": "Apply", "Session": "Begin"}[a.kind]
		l = []any{reflect.Zero(v.FieldByName(do).Type().In(2)).Interface()}
	}
	for _, body := range l {
		scopes, _ := call("Scopes", body).([]proto.Scope)
		a.looks = a.looks || len(scopes) == 0
		for _, s := range scopes {
			a.scopes = append(a.scopes, string(s))
		}
		if a.kind == "Query" { // of a session it asks the room
			err, _ := call("Check", auth.Caller{Role: proto.RoleAdult, Scopes: proto.OwnerScopes()}, body).(error)
			var refusal *proto.Refusal
			a.owners = a.owners || errors.As(err, &refusal) && refusal.Code == proto.CodeScope
		}
		effect := call("Effect", body)
		a.widens, a.narrows = a.widens || effect == auth.Widens, a.narrows || effect == auth.Narrows
	}
	if a.kind == "Session" {
		a.asksTheRoom = !v.FieldByName("Check").IsNil() && v.FieldByName("Slow").Bool()
	}
	if always := v.FieldByName("Always"); always.IsValid() {
		a.always = always.Bool()
	}
	return a
}

// The table of operations and docs/protocol.md say the same: which operations there are,
// what each takes and needs, which change the household and how, which begin a session,
// and the kinds of entries of these.
func TestOperationsAreThoseOfTheProtocol(t *testing.T) {
	b, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	rows, entries := tableOf(text, "| `op` | needs"), tableOf(text, "| `k` | |")
	var changes, widen, narrow, always []string
	table := (&daemon{certificate: &claim.Claim{}}).operations()
	for op, o := range table {
		a, cells := read(op, o), rows[string(op)]
		if cells == nil {
			t.Errorf("the document has no operation %s", op)
			continue
		}
		sid, scopes, body := cells[2], cells[3], cells[4]
		if got := spans(scopes); !slices.Equal(a.scopes, got) || a.looks != (len(got) == 0 || strings.Contains(scopes, "unless it only looks")) {
			t.Errorf("%s needs %v, the document says %q", op, a.scopes, scopes)
		}
		if a.owners != strings.Contains(scopes, "of an owner") {
			t.Errorf("%s is for owners alone: %v, the document says %q", op, a.owners, scopes)
		}
		if a.none != (body == "none") {
			t.Errorf("%s takes no body: %v, the document says %q", op, a.none, body)
		}
		if (a.kind == "Session") != (sid == "the client's new one") {
			t.Errorf("%s is a %s, its sid by the document %q", op, a.kind, sid)
		}
		if a.kind == "Session" && (entries[string(op)] == nil || !accesslog.Kind(op).Noticed()) {
			t.Errorf("%s has no kind of entry that members are told of", op)
		}
		if a.asksTheRoom != (op == proto.OpTalk) {
			t.Errorf("%s asks who is in the room, and waits for them: %v", op, a.asksTheRoom)
		}
		for l, is := range map[*[]string]bool{&changes: a.kind == "Change", &widen: a.widens, &narrow: a.narrows, &always: a.always} {
			if is {
				*l = append(*l, string(op))
			}
		}
	}
	if len(rows) != len(table)+1 { // hello is the gate's own
		t.Errorf("the document has %d operations, the table %d", len(rows), len(table))
	}
	for before, got := range map[string][]string{
		"`op` changes the household (":        changes,
		"operations that widen rights (":      widen,
		"those that only narrow rights (":     narrow,
		"carried out whatever step 13 says (": always,
	} {
		_, rest, _ := strings.Cut(text, before)
		list, _, _ := strings.Cut(rest, ")")
		var want []string
		for _, word := range spans(list) {
			if table[proto.Op(word)] != nil {
				want = append(want, word)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s%v, the document says %v", before, got, want)
		}
	}
}

// tableOf returns the cells of the table that begins with a line, by the words in its first
// column.
func tableOf(text, begin string) map[string][]string {
	_, text, _ = strings.Cut(text, begin)
	_, text, _ = strings.Cut(text, "---|\n")
	text, _, _ = strings.Cut(text, "\n\n")
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")[1:]
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		for _, word := range spans(cells[0]) {
			rows[word] = cells
		}
	}
	return rows
}

// spans returns what stands between backticks.
func spans(s string) (l []string) {
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(s, -1) {
		l = append(l, m[1])
	}
	return l
}
