package accesslog

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/camd-project/camd/pkg/proto"
)

const (
	anna = proto.ClientID("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")
	ben  = proto.ClientID("ABCDEFGzyxwvutsrqponmlkjihgfedcba9876543210")
	cara = proto.ClientID("GFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210")
)

// golden are the entries whose bytes are the lines of testdata/entries.txt.
var golden = []Entry{
	{Version: 1, Kind: KindEpoch, Time: 1767225600000, Epoch: 1, Reason: "first start"},
	{Version: 1, Kind: KindPair, Time: 1767225600001, Epoch: 1, Client: anna, Name: "Änna <\"A&B\">", Role: proto.RoleOwner,
		Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}, Network: NetLocal},
	{Version: 1, Kind: KindLive, Time: 1767225600002, Epoch: 1, Client: anna, Name: "Anna", Op: proto.OpLive,
		Scopes: []proto.Scope{proto.ScopeView}, Network: NetMQTT, Session: "s-1"},
	{Version: 1, Kind: KindEnd, Time: 1767225600003, Epoch: 1, Client: anna, Name: "Anna", Op: proto.OpLive,
		Network: NetMQTT, Session: "s-1", Start: 2, Reason: proto.EndBye},
	{Version: 1, Kind: KindRefused, Time: 1767225600004, Epoch: 1, Client: anna, Name: "Ben", Op: proto.OpLive,
		Scopes: []proto.Scope{proto.ScopeListen}, Network: NetMQTT, Session: "s-2", Code: proto.CodeScope},
	{Version: 1, Kind: KindHostile, Time: 1767225600005, Epoch: 1, Drops: &Drops{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
	{Version: 1, Kind: KindGrant, Time: 1767225600006, Epoch: 1, Client: anna, Name: "Anna", Role: proto.RoleGuest,
		Scopes: []proto.Scope{proto.ScopeView}, Network: NetMQTT, Subject: cara, SubjectName: "Cara", Weekly: "Mo-Fr 08:00-17:00",
		From: 1767225600, Until: 1796295600, Grant: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
	{Version: 1, Kind: KindRevoke, Time: 1767225600007, Epoch: 1, Client: anna, Name: "Anna", Network: NetMQTT,
		Subject: ben, SubjectName: "Ben", Keep: true},
	{Version: 1, Kind: KindRevoke, Time: 1767225600008, Epoch: 1, Client: anna, Name: "Anna", Network: NetMQTT,
		Start: 7, Reason: "guest of the one removed", Subject: cara, SubjectName: "Cara"},
	{Version: 1, Kind: KindSettings, Time: 1767225600009, Epoch: 1, Client: anna, Name: "Anna", Network: NetMQTT,
		Set: []string{"time_zone=Europe/Berlin", "quiet_hours=22:00-07:00"}},
	{Version: 1, Kind: KindPrivacy, Time: 1767225600010, Epoch: 1, Network: NetLocal, Reason: PrivacyOn},
	{Version: 1, Kind: KindAlarm, Time: 1767225600011, Epoch: 1, Client: anna, Name: "Anna", Network: NetMQTT},
	{Version: 1, Kind: KindRollback, Time: 1767225600012, Epoch: 1, Client: anna, Name: "Anna", Network: NetMQTT},
	{Version: 1, Kind: KindMerged, Time: 1767225600013, Epoch: 1, Client: anna, Name: "Anna", Op: proto.OpLive,
		Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}, Start: 2, From: 1767225600, Until: 1767229200, Last: 199, Count: 99},
	{Version: 1, Kind: KindEvict, Time: 1767225600014, Epoch: 1, Network: NetLocal},
	{Version: 1, Kind: KindReset, Time: 1767225600015, Epoch: 1, Network: NetLocal},
	{Version: 1, Kind: KindUpdate, Time: 1767225600016, Epoch: 1, Client: anna, Name: "Anna", Op: proto.OpUpdate, Network: NetMQTT,
		Until: 1767312000, Step: proto.StepPostponed, Release: "1.2.0"},
	{Version: 1, Kind: KindUpdate, Time: 1767225600017, Epoch: 1, Reason: "its camera gave no picture", Step: proto.StepFailed, Release: "1.2.0"},
}

func goldenLines(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/entries.txt")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

func TestGoldenBytes(t *testing.T) {
	lines := goldenLines(t)
	if len(lines) != len(golden) {
		t.Fatalf("%d lines for %d entries", len(lines), len(golden))
	}
	for i, e := range golden {
		if b, err := e.Bytes(); err != nil || !bytes.Equal(b, lines[i]) {
			t.Errorf("entry %d: %v\n got %s\nwant %s", i, err, b, lines[i])
		}
		if got, err := Parse(lines[i]); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("entry %d parsed: %+v, %v", i, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":      "",
		"no JSON":    "hello",
		"version":    `{"v":2,"k":"live","t":1,"ep":1}`,
		"no kind":    `{"v":1,"t":1,"ep":1}`,
		"no epoch":   `{"v":1,"k":"live","t":1}`,
		"not UTF-8":  "{\"v\":1,\"k\":\"\xff\",\"t\":1,\"ep\":1}",
		"oversized":  `{"v":1,"k":"live","t":1,"ep":1,"name":"` + strings.Repeat("x", MaxEntry) + `"}`,
		"wrong type": `{"v":1,"k":"live","t":"now","ep":1}`,
	} {
		if e, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, err := Parse([]byte(`{"v":1,"k":"grant","t":1,"ep":1,"later":[1]}`)); err != nil {
		t.Errorf("an entry of a later camd: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, l := range goldenLines(f) {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		if s := Sentence(e, time.UTC); strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s is said as %q", text, s)
		}
		b, err := e.Bytes()
		if err != nil {
			return // escapes can make it longer than it came
		}
		again, err := Parse(b)
		b2, err2 := again.Bytes()
		if err != nil || err2 != nil || !bytes.Equal(b, b2) {
			t.Errorf("%s: %v, %v\n%s", b, err, err2, b2)
		}
	})
}
