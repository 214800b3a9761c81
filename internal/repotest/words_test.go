package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// constants are the string constants of a package for which take holds.
func constants(t *testing.T, folder string, take func(name, typ, value string) bool) (l []string) {
	t.Helper()
	for _, f := range parseFolder(t, folder) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			typ, _ := spec.Type.(*ast.Ident)
			for i, v := range spec.Values {
				lit, ok := v.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				name := ""
				if typ != nil {
					name = typ.Name
				}
				if take(spec.Names[i].Name, name, value) {
					l = append(l, value)
				}
			}
			return true
		})
	}
	return l
}

func parseFolder(t *testing.T, folder string) (l []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		l = append(l, f)
	}
	return l
}

func ofType(want string) func(name, typ, value string) bool {
	return func(_, typ, _ string) bool { return typ == want }
}

// TestProtocolHasTheWordsOfTheCode compares each list of words in the document with the
// constants, both ways.
func TestProtocolHasTheWordsOfTheCode(t *testing.T) {
	p := readProtocol(t)
	same(t, "operations", p.column(t, "4.4", "`op`"), constants(t, "pkg/proto", ofType("Op")))
	same(t, "refusal codes", p.column(t, "5.2", "code"), constants(t, "pkg/proto", ofType("Code")))
	same(t, "kinds of entries", p.column(t, "6.3", "`k`"), constants(t, "pkg/auth/accesslog", ofType("Kind")))
	same(t, "kinds of signals", p.column(t, "4.5", "`kind`"), constants(t, "pkg/proto", ofType("SignalKind")))
	same(t, "roles", p.column(t, "5.7", "role"), constants(t, "pkg/proto", ofType("Role")))
	same(t, "states of conditions", p.column(t, "4.9", "`state`"), constants(t, "pkg/health", ofType("State")))
	same(t, "conditions", p.column(t, "4.9", "condition"), conditions(t))
	same(t, "reasons of an end", p.column(t, "7.5", "`reason`"), constants(t, "pkg/proto", func(name, _, _ string) bool {
		return strings.HasPrefix(name, "End")
	}))
	same(t, "states of an update", p.column(t, "12.1", "state"), constants(t, "pkg/proto", ofType("UpdateState")))
	same(t, "what is asked about an update", p.column(t, "12.2", "`do`"), constants(t, "pkg/proto", ofType("UpdateDo")))
	same(t, "what is asked about a certificate", p.column(t, "13.1", "`do`"), constants(t, "pkg/proto", ofType("CertificateDo")))
	same(t, "what is asked about Wi-Fi", p.column(t, "15.1", "`do`"), constants(t, "pkg/proto", ofType("WiFiDo")))
	same(t, "steps of an update", p.column(t, "12.3", "`step`"), constants(t, "pkg/proto", ofType("UpdateStepKind")))
	same(t, "what is asked while pairing", p.column(t, "3.11", "`do`"), constants(t, "pkg/proto", ofType("SetupDo")))
	same(t, "steps of setting up", p.column(t, "3.11", "`step`"), constants(t, "pkg/proto", ofType("SetupStep")))
	same(t, "kinds of Wi-Fi", p.column(t, "3.11", "`security`"), constants(t, "pkg/proto", ofType("Security")))
	signed := func(_, _, value string) bool {
		return strings.HasPrefix(value, "camd-") && strings.HasSuffix(value, "+jwt")
	}
	same(t, "types of signed messages", p.column(t, "2.5", "`typ`"),
		append(constants(t, "pkg/auth/envelope", signed), constants(t, "pkg/auth/pairing", signed)...))
	same(t, "pairing messages", p.pairingMessages(), constants(t, "pkg/auth/pairing", ofType("messageType")))
}

// conditions are the names that parts put on the board of health.
func conditions(t *testing.T) (l []string) {
	t.Helper()
	name := regexp.MustCompile(`\.Condition\("([a-z_]+)"\)`)
	eachFile(t, ".go", func(path string) {
		if strings.HasSuffix(path, "_test.go") || !under(path, "pkg", "cmd/camd") {
			return
		}
		for _, m := range name.FindAllStringSubmatch(readFile(t, path), -1) {
			l = append(l, m[1])
		}
	})
	return l
}

// pairingMessages are the kinds of the transport messages of 3.5.
func (p protocol) pairingMessages() (l []string) {
	for _, span := range spans(p.clauses["3.5"]) {
		if rest, ok := strings.CutPrefix(span, `{"t":"`); ok {
			kind, _, _ := strings.Cut(rest, `"`)
			l = append(l, kind)
		}
	}
	return l
}

func TestProtocolHasTheScopesOfTheCode(t *testing.T) {
	p := readProtocol(t)
	_, list, _ := strings.Cut(p.clauses["5.1"], "The scopes are ")
	list, _, _ = strings.Cut(list, ".")
	same(t, "scopes", spans(list), constants(t, "pkg/proto", ofType("Scope")))
	for _, row := range p.table(t, "5.7", "role") {
		role := proto.Role(spans(row[0])[0])
		for i, scopes := range [][]proto.Scope{role.Preset(), role.Most()} {
			want := words(scopes)
			if want == words(proto.OwnerScopes()) {
				want = "all"
			}
			if got := strings.Trim(row[1+i], "`"); !strings.Contains(got, want) {
				t.Errorf("5.7 says of %s %q, the code %q", role, got, want)
			}
		}
	}
}

func words[T ~string](l []T) string {
	var s []string
	for _, w := range l {
		s = append(s, string(w))
	}
	return strings.Join(s, " ")
}

// TestProtocolHasTheEntriesOfTheCode compares the members of an entry with its bytes,
// whose order they have, and the kinds that are noticed.
func TestProtocolHasTheEntriesOfTheCode(t *testing.T) {
	p := readProtocol(t)
	if got, want := p.column(t, "6.2", "member"), tags(reflect.TypeFor[accesslog.Entry]()); !slices.Equal(got, want) {
		t.Errorf("6.2 has the members\n%v, the code\n%v", got, want)
	}
	for _, row := range p.table(t, "6.3", "`k`") {
		for _, kind := range spans(row[0]) {
			if noticed := row[1] == "n"; noticed != accesslog.Kind(kind).Noticed() {
				t.Errorf("6.3 says of the notice of %s %v, the code says otherwise", kind, noticed)
			}
		}
	}
	reasons := constants(t, "pkg/auth", func(name, _, _ string) bool { return strings.HasPrefix(name, "reason") })
	reasons = append(reasons, accesslog.ReasonNotApplied, accesslog.PrivacyOn, accesslog.PrivacyOff, accesslog.NetMQTT, accesslog.NetLocal)
	said := append(spans(p.clauses["6.2"]), spans(p.clauses["6.3"])...)
	for _, word := range reasons {
		if !slices.Contains(said, word) {
			t.Errorf("6.2 and 6.3 do not have %q, which stands in entries", word)
		}
	}
	counters, _, _ := strings.Cut(p.clauses["5.4"], "The device's own log")
	if got, want := counted(counters), tags(reflect.TypeFor[accesslog.Drops]()); !slices.Equal(got, want) {
		t.Errorf("5.4 has the counters\n%v, the code\n%v", got, want)
	}
}

// counted takes the list of 5.4, whose explanations stand in brackets.
func counted(clause string) []string {
	_, list, _ := strings.Cut(clause, "counts as one of:")
	var l []string
	for depth, i := 0, 0; i < len(list); i++ {
		switch list[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '`':
			end := strings.IndexByte(list[i+1:], '`')
			if depth == 0 {
				l = append(l, list[i+1:i+1+end])
			}
			i += end + 1
		}
	}
	return l
}

// TestProtocolHasTheSettingsOfTheCode compares the table of settings with what is read
// and what may be changed.
func TestProtocolHasTheSettingsOfTheCode(t *testing.T) {
	p := readProtocol(t)
	documented := p.column(t, "5.11", "setting")
	same(t, "settings", documented, tags(reflect.TypeFor[proto.Settings]()))
	var chosen []string
	for _, row := range p.table(t, "5.11", "setting") {
		if row[2] != "" {
			chosen = append(chosen, spans(row[0])...)
		}
	}
	same(t, "settings that can be chosen", chosen, tags(reflect.TypeFor[proto.SettingsChange]()))
}

// tags are the names of a struct's members in JSON, in order.
func tags(of reflect.Type) (l []string) {
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			l = append(l, name)
		}
	}
	return l
}
