package wifi

import (
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// TestTheReason: what wpa_supplicant says in turn, and what a person reads.
func TestTheReason(t *testing.T) {
	type said = map[string]any
	state := func(s string) said { return said{"State": s} }
	shake := state(stateHandshake)
	for name, c := range map[string]struct {
		by    way
		said  []said
		heard bool
		sure  bool
		code  proto.Code
		want  string
	}{
		"wrong password, twice":      {wayPSK, []said{shake, {"DisconnectReason": int32(15)}, state("disconnected"), shake, {"DisconnectReason": int32(2)}}, true, true, proto.CodeWiFiPassword, "does not accept this password"},
		"once may be the signal":     {wayPSK, []said{shake, {"DisconnectReason": int32(15)}}, true, false, proto.CodeWiFiPassword, "password"},
		"in one breath":              {wayPSK, []said{{"State": stateHandshake, "DisconnectReason": int32(15)}, {"State": stateHandshake, "DisconnectReason": int32(15)}}, true, true, proto.CodeWiFiPassword, "password"},
		"the end of the handshake":   {wayPSK, []said{shake, {"State": "disconnected", "DisconnectReason": int32(15)}}, true, false, proto.CodeWiFiPassword, "password"},
		"out of reach meanwhile":     {wayPSK, []said{shake, {"DisconnectReason": int32(-4)}, shake, {"DisconnectReason": int32(-4)}}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"the former network left":    {wayPSK, []said{state(stateCompleted), {"DisconnectReason": int32(-3)}, state("scanning")}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"wrong password of SAE":      {waySAE, []said{{"AuthStatusCode": int32(15)}, {"AuthStatusCode": int32(15)}}, true, true, proto.CodeWiFiPassword, "password"},
		"as hostapd says it":         {waySAE, []said{state(stateAsking), {"AuthStatusCode": int32(0)}, {"State": "disconnected", "AuthStatusCode": int32(1)}, state(stateAsking), {"AuthStatusCode": int32(126)}, {"AuthStatusCode": int32(1)}}, true, true, proto.CodeWiFiPassword, "password"},
		"in the first half of SAE":   {waySAE, []said{state(stateAsking), {"AuthStatusCode": int32(1)}, state("scanning"), {"State": stateAsking, "AuthStatusCode": int32(1)}}, true, false, proto.CodeWiFiRefused, "status 1"},
		"another try of SAE":         {waySAE, []said{state(stateAsking), {"AuthStatusCode": int32(0)}, state("disconnected"), state(stateAsking), {"AuthStatusCode": int32(1)}}, true, false, proto.CodeWiFiRefused, "status 1"},
		"by a driver that does SAE":  {waySAE, []said{{"AssocStatusCode": int32(15)}, {"AssocStatusCode": int32(15)}}, true, true, proto.CodeWiFiPassword, "password"},
		"SAE goes on":                {waySAE, []said{{"AuthStatusCode": int32(76)}, {"AuthStatusCode": int32(77)}, {"AuthStatusCode": int32(126)}, {"AuthStatusCode": int32(0)}}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"a list of devices":          {wayPSK, []said{{"AuthStatusCode": int32(1)}, {"AuthStatusCode": int32(1)}, {"AuthStatusCode": int32(1)}}, true, true, proto.CodeWiFiRefused, "status 1 of"},
		"full":                       {wayPSK, []said{{"AssocStatusCode": int32(17)}, {"AssocStatusCode": int32(17)}, {"AssocStatusCode": int32(17)}}, true, true, proto.CodeWiFiRefused, "accepts no more devices"},
		"later":                      {wayPSK, []said{{"AssocStatusCode": int32(30)}, {"AssocStatusCode": int32(30)}, {"AssocStatusCode": int32(30)}}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"gone":                       {wayPSK, []said{state("scanning")}, false, false, proto.CodeWiFiNotFound, "can't find"},
		"gone after it refused":      {wayPSK, []said{{"AssocStatusCode": int32(1)}}, false, false, proto.CodeWiFiNotFound, "can't find"},
		"in again":                   {wayPSK, []said{shake, {"DisconnectReason": int32(15)}, state(stateCompleted)}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"values of strange types":    {wayPSK, []said{{"State": 4, "DisconnectReason": "15", "AuthStatusCode": uint32(1)}}, true, false, proto.CodeWiFiRefused, "does not answer"},
		"a challenge that is not it": {wayPSK, []said{{"AuthStatusCode": int32(15)}}, true, false, proto.CodeWiFiRefused, "status 15"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := trail{by: c.by}
			for _, m := range c.said {
				tr.follow(variants(m))
			}
			got := tr.verdict(c.heard)
			if tr.sure() != c.sure || got.Code != c.code || !strings.Contains(got.Error(), c.want) {
				t.Errorf("it is %s: %v, sure %v", got.Code, got, tr.sure())
			}
		})
	}
}

func TestWhatPeopleReadOfWiFi(t *testing.T) {
	home := &proto.WiFi{SSID: "home", Password: homeKey}
	for name, c := range map[string]struct {
		view  view
		state health.State
		want  string
	}{
		"no Wi-Fi at all":            {view{}, health.OK, "none: this camera has no Wi-Fi"},
		"none of it set up":          {view{present: true, err: errAway}, health.OK, "no network is set up"},
		"by wpa_supplicant's file":   {view{present: true, ssid: "file", address: true}, health.OK, ""},
		"in the network":             {view{present: true, kept: home, ssid: "home", address: true}, health.OK, ""},
		"the interface is unplugged": {view{kept: home}, health.Failed, "The Wi-Fi interface is missing."},
		"wpa_supplicant is away":     {view{present: true, kept: home, err: errAway}, health.Failed, "does not run"},
		"just lost":                  {view{present: true, kept: home, settling: true}, health.Starting, "is joining its Wi-Fi network"},
		"no address yet":             {view{present: true, kept: home, ssid: "home", settling: true}, health.Starting, "is waiting for an address"},
		"no address":                 {view{present: true, kept: home, ssid: "home"}, health.Failed, "has no address there"},
		"lost":                       {view{present: true, kept: home, why: new(trail).verdict(false)}, health.Failed, "can't join its Wi-Fi network, and keeps trying. The camera can't find"},
		"it does not answer":         {view{present: true, kept: home, why: new(trail).verdict(true)}, health.Failed, "can't join its Wi-Fi network, and keeps trying."},
		"it can't be told why":       {view{present: true, kept: home, why: errors.New("wpa_supplicant says: no")}, health.Failed, "keeps trying"},
	} {
		t.Run(name, func(t *testing.T) {
			state, reason := c.view.condition()
			if state != c.state || !strings.Contains(reason, c.want) || c.want == "" && reason != "" || strings.Contains(reason, homeKey) || strings.Contains(reason, "home") {
				t.Errorf("it is %s: %q", state, reason)
			}
		})
	}
}
