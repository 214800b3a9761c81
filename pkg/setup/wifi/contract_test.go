package wifi

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// world is a camera with Wi-Fi, and the air around it. The fake one and real radios keep the
// same contract.
type world interface {
	radio(*Radio) *Radio
	raise(point)
	lower(ssid string)
	how() (ssid, by string) // where the camera is, as wpa_supplicant says
	restart()               // of wpa_supplicant
}

const (
	homeKey = "correct horse"
	rawPSK  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// hostile is a name that would turn a line around and end it.
const hostile = "e\u202e\n\x1b[31m\xff\"home"

// joins is the contract of Join.
var joins = []struct {
	name string
	air  point
	wifi proto.WiFi
	code proto.Code // empty: it is joined
	by   string
	kept proto.Security // to be kept with it
}{
	{"WPA2", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: "home", Password: homeKey}, "", "WPA2-PSK", proto.SecurityWPA2},
	{"WPA2 as was said", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: "home", Password: homeKey, Security: proto.SecurityWPA2}, "", "WPA2-PSK", proto.SecurityWPA2},
	{"both, by PSK", point{ssid: "home", security: proto.SecurityTransition, password: homeKey}, proto.WiFi{SSID: "home", Password: homeKey}, "", "WPA2-PSK", proto.SecurityTransition},
	{"WPA3 alone", point{ssid: "home", security: proto.SecurityWPA3, password: homeKey}, proto.WiFi{SSID: "home", Password: homeKey}, "", "SAE", proto.SecurityWPA3},
	{"any bytes as a name", point{ssid: hostile, security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: hostile, Password: homeKey}, "", "WPA2-PSK", proto.SecurityWPA2},
	{"quotation marks in the password", point{ssid: "home", security: proto.SecurityWPA2, password: `a"b\c" d`}, proto.WiFi{SSID: "home", Password: `a"b\c" d`}, "", "WPA2-PSK", proto.SecurityWPA2},
	{"open", point{ssid: "cafe", security: proto.SecurityOpen}, proto.WiFi{SSID: "cafe"}, proto.CodeWiFiOpen, "", ""},
	{"open, and meant", point{ssid: "cafe", security: proto.SecurityOpen}, proto.WiFi{SSID: "cafe", OpenOK: true}, "", "NONE", proto.SecurityOpen},
	{"open, though it has a password", point{ssid: "home", security: proto.SecurityOpen}, proto.WiFi{SSID: "home", Password: homeKey, OpenOK: true}, proto.CodeWiFiOpen, "", ""},
	{"a wrong password of WPA2", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: "home", Password: "wrong horse"}, proto.CodeWiFiPassword, "", ""},
	{"a wrong password of WPA3", point{ssid: "home", security: proto.SecurityWPA3, password: homeKey}, proto.WiFi{SSID: "home", Password: "wrong horse"}, proto.CodeWiFiPassword, "", ""},
	{"no password", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: "home"}, proto.CodeWiFiPassword, "", ""},
	{"not there", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey}, proto.WiFi{SSID: "hom", Password: homeKey}, proto.CodeWiFiNotFound, "", ""},
	{"hidden, and nobody said so", point{ssid: "secret", security: proto.SecurityWPA2, password: homeKey, hidden: true}, proto.WiFi{SSID: "secret", Password: homeKey}, proto.CodeWiFiNotFound, "", ""},
	{"hidden", point{ssid: "secret", security: proto.SecurityWPA2, password: homeKey, hidden: true}, proto.WiFi{SSID: "secret", Password: homeKey, Hidden: true}, "", "WPA2-PSK", proto.SecurityWPA2},
	{"no address", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey, mute: true}, proto.WiFi{SSID: "home", Password: homeKey}, proto.CodeWiFiNoAddress, "", ""},
	{"refused", point{ssid: "home", security: proto.SecurityWPA2, password: homeKey, strict: true}, proto.WiFi{SSID: "home", Password: homeKey}, proto.CodeWiFiRefused, "", ""},
}

// keepsContract shows that Join says why, and that the former network is never lost.
func keepsContract(t *testing.T, w world) {
	log := slog.New(slog.DiscardHandler)
	former := proto.WiFi{SSID: "former", Password: "long ago, longer"}
	w.raise(point{ssid: "former", security: proto.SecurityWPA2, password: string(former.Password)})
	r := w.radio(New(log, nil))
	must(t, r.Keep(t.Context(), &former))
	for _, c := range joins {
		t.Run(c.name, func(t *testing.T) {
			eventually(t, "it is in the former network", func() bool { ssid, _ := w.how(); return ssid == "former" })
			w.raise(c.air)
			defer w.lower(c.air.ssid)

			var steps []proto.SetupStep
			kept, err := r.Join(t.Context(), c.wifi, func(s proto.SetupStep) { steps = append(steps, s) })
			ssid, by := w.how()
			if c.code == "" {
				if err != nil || ssid != string(c.wifi.SSID) || by != c.by {
					t.Fatalf("Join() = %v; it is in %q by %s, want %q by %s", err, ssid, by, c.wifi.SSID, c.by)
				}
				if len(steps) != 2 || steps[0] != proto.StepWiFi || steps[1] != proto.StepAddress {
					t.Errorf("the steps were %v", steps)
				}
				want := c.wifi
				if want.Security = c.kept; kept != want {
					t.Errorf("to be kept: %q with %s, want %s", kept.SSID, kept.Security, c.kept)
				}
				must(t, r.Keep(t.Context(), &kept))
				if ssid, _ := w.how(); ssid != string(c.wifi.SSID) {
					t.Errorf("kept, it is in %q", ssid)
				}
				must(t, r.Keep(t.Context(), &former)) // as after a broker that was not reached
			} else if !problemOf(err, c.code) {
				t.Fatalf("Join() = %v, want %s", err, c.code)
			}
			eventually(t, "it is back in the former network", func() bool { ssid, _ := w.how(); return ssid == "former" })
		})
	}
	must(t, r.Keep(t.Context(), nil))
	t.Run("what is kept outlives wpa_supplicant and the access point", func(t *testing.T) { staysKept(t, w, former) })
}

// staysKept shows what Run does.
func staysKept(t *testing.T, w world, former proto.WiFi) {
	board := health.NewBoard(slog.New(slog.DiscardHandler))
	r := w.radio(New(slog.New(slog.DiscardHandler), board))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() {}) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	}()
	condition := func(want health.State) func() bool {
		return func() bool { return board.Snapshot()[0].State == want }
	}
	joined := func() bool { ssid, _ := w.how(); return ssid == "former" }

	must(t, r.Keep(t.Context(), &former))
	eventually(t, "it is in the kept network", joined)
	eventually(t, "all is well", condition(health.OK))
	w.restart()
	eventually(t, "it is there again", joined)
	eventually(t, "all is well again", condition(health.OK))
	w.lower("former")
	eventually(t, "the network is missed", condition(health.Failed))
	t.Log(board.Snapshot()[0].Reason)
	w.raise(point{ssid: "former", security: proto.SecurityWPA2, password: string(former.Password)})
	eventually(t, "it is back", joined)
	eventually(t, "all is well in the end", condition(health.OK))
	must(t, r.Keep(t.Context(), nil))
	eventually(t, "it is in no network", func() bool { ssid, _ := w.how(); return ssid == "" })
}

func problemOf(err error, code proto.Code) bool {
	var p *proto.SetupProblem
	return errors.As(err, &p) && p.Code == code
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what must become true; a test that hangs here has failed.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for ends := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(ends) {
			t.Fatalf("not so: %s", what)
		}
	}
}

func TestTheFakeKeepsTheContract(t *testing.T) { keepsContract(t, newFake(t)) }
