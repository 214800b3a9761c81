package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// TestWiFiOfACameraWithout has a camera with a cable.
func TestWiFiOfACameraWithout(t *testing.T) { withCamera(t, "testdata/wifi", "") }

// roamer is a camera that is away from the join on, for a while, and then says what became of it.
type roamer struct {
	asked  proto.WiFiRequest // to join
	answer error             // to that
	away   time.Duration     // from then on
	first  error             // of the first question after it
	then   proto.WiFiStatus
	since  time.Time
}

func (r *roamer) WiFi(ctx context.Context, q proto.WiFiRequest) (proto.WiFiStatus, error) {
	if q.Do == proto.WiFiDoJoin {
		r.asked, r.since = q, time.Now()
		return proto.WiFiStatus{Trying: q.WiFi.SSID}, r.answer
	}
	if time.Since(r.since) < r.away {
		select {
		case <-time.After(16 * time.Second):
			return proto.WiFiStatus{}, errors.Join(client.ErrNoAnswer, client.ErrOffline)
		case <-ctx.Done():
			return proto.WiFiStatus{}, ctx.Err()
		}
	}
	if err := r.first; err != nil {
		r.first = nil
		return proto.WiFiStatus{}, err
	}
	return r.then, nil
}

func TestWaitingForAnotherNetwork(t *testing.T) {
	before := &proto.WiFiChange{Entry: 4, SSID: "older", Code: proto.CodeOK}
	good := &proto.WiFiChange{Entry: 9, SSID: "at\u202etic", Code: proto.CodeOK}
	bad := &proto.WiFiChange{Entry: 9, SSID: "at\u202etic", Code: proto.CodeWiFiPassword, Reason: "It does not take this password."}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		camera roamer
		says   string // in the end
		err    string
		notes  string
	}{
		"it works":           {roamer{away: 30 * time.Second, then: proto.WiFiStatus{Last: good}}, "reached its broker through the Wi-Fi network \"at\\u202etic\"", "", "leaves its network"},
		"it does not":        {roamer{away: 70 * time.Second, then: proto.WiFiStatus{Last: bad}}, "", "former Wi-Fi network again, since \"at\\u202etic\" did not work: It does not take", "leaves its network"},
		"the answer is lost": {roamer{answer: client.ErrNoAnswer, away: 30 * time.Second, then: proto.WiFiStatus{Last: good}}, "reached its broker", "", "may be changing its network already"},
		"the request is":     {roamer{answer: client.ErrOffline, then: proto.WiFiStatus{Last: before}}, "", "did not get the request", ""},
		"it is refused":      {roamer{answer: &client.Refused{Code: proto.CodeBusy}}, "", "The camera is busy", ""},
		"it stays away":      {roamer{away: time.Hour}, "", "has not come back", ""},
		"removed meanwhile":  {roamer{away: 30 * time.Second, first: &client.Refused{Code: proto.CodeRevoked}}, "", "You have been removed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out, notes bytes.Buffer
				env := &environment{ctx: t.Context(), in: strings.NewReader(""), Output: command.Output{Out: &out, ErrOut: &notes}}
				began := time.Now()
				err := wifiCmd{Join: "at\u202etic", PasswordFile: password, Hidden: true}.join(env, &c.camera, proto.WiFiStatus{Last: before})
				if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || !strings.Contains(out.String(), c.says) || !strings.Contains(notes.String(), c.notes) {
					t.Errorf("%v; said %q, noted %q", err, out.String(), notes.String())
				}
				if want := (&proto.WiFi{SSID: "at\u202etic", Password: "correct horse", Hidden: true}); !reflect.DeepEqual(c.camera.asked.WiFi, want) {
					t.Errorf("asked to join %+v", c.camera.asked.WiFi)
				}
				if took := time.Since(began); took > wifiPatience {
					t.Errorf("it waited for %v", took)
				}
				if strings.Contains(out.String()+notes.String(), "horse") {
					t.Error("it shows the password")
				}
			})
		})
	}
}

// What can't be meant is said before the camera is asked for it.
func TestNetworksThatCannotBe(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]wifiCmd{
		"A Wi-Fi password has 8 to 63":    {Join: "home", PasswordFile: short},
		"has 1 to 32 bytes":               {Join: strings.Repeat("x", 33), Open: true},
		"name a file with the network's":  {Join: "home"},
		"the Wi-Fi password can't be rea": {Join: "home", PasswordFile: short + "x"},
	} {
		var r roamer
		env := &environment{ctx: t.Context(), in: strings.NewReader(""), Output: command.Output{Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}}
		if err := c.join(env, &r, proto.WiFiStatus{}); err == nil || !strings.Contains(err.Error(), want) || r.asked.WiFi != nil {
			t.Errorf("%q: %v, asked %+v", want, err, r.asked)
		}
	}
}

func TestWiFiText(t *testing.T) {
	home := proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -50, Band: "5"}
	evil := proto.Network{SSID: "e\n\x1b[31m", Security: proto.SecurityOpen, Signal: -80, Band: "2.4"}
	for name, c := range map[string]struct {
		now  proto.WiFiStatus
		want []string
	}{
		"all": {proto.WiFiStatus{Current: &home, Networks: []proto.Network{evil, home}, Last: &proto.WiFiChange{SSID: "attic", Code: proto.CodeNoInternet, Reason: "No\nway."}},
			[]string{`*  "home"`, `   "e\u000a\u001b[31m"  open  2.4 GHz  -80 dBm`, `was to "attic", and did not work, so the camera went back: No\u000away.`}},
		"none":   {proto.WiFiStatus{}, []string{"The camera is in no Wi-Fi network now."}},
		"trying": {proto.WiFiStatus{Trying: "attic", Last: &proto.WiFiChange{SSID: "home", Code: proto.CodeOK}}, []string{`The camera tries the Wi-Fi network "attic".`, `was to "home", and worked.`}},
	} {
		got := strings.Split(wifiText(c.now), "\n")
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want %q in it", name, got[i], want)
			}
		}
	}
}
