package wifi

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// ie is RSN or WPA as wpa_supplicant writes it.
func ie(keys, pairwise, group string) map[string]dbus.Variant {
	return variants(map[string]any{"KeyMgmt": strings.Fields(keys), "Pairwise": strings.Fields(pairwise), "Group": group})
}

// with changes members of an access point that is fine otherwise; nil takes one away.
func with(change map[string]any) map[string]dbus.Variant {
	p := bssProperties([]byte("home"), proto.SecurityWPA2, -61, 5180)
	for name, v := range change {
		if v == nil {
			delete(p, name)
			continue
		}
		p[name] = dbus.MakeVariant(v)
	}
	return p
}

func TestWhatAnAccessPointShows(t *testing.T) {
	nothing := ie("", "", "")
	for name, c := range map[string]struct {
		change map[string]any
		want   seen
		hidden bool // nothing is shown
	}{
		"WPA2":                        {nil, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -61, Band: "5"}, false, 1}, false},
		"mixed with WPA":              {map[string]any{"RSN": ie("wpa-psk", "tkip ccmp", "tkip"), "WPA": ie("wpa-psk", "tkip", "tkip")}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -61, Band: "5"}, false, 1}, false},
		"fast transition beside it":   {map[string]any{"RSN": ie("wpa-psk wpa-ft-psk", "ccmp", "ccmp")}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -61, Band: "5"}, false, 1}, false},
		"SHA-256 alone":               {map[string]any{"RSN": ie("wpa-psk-sha256", "ccmp", "ccmp")}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -61, Band: "5"}, true, 1}, false},
		"both":                        {map[string]any{"RSN": ie("wpa-psk wpa-psk-sha256 sae", "ccmp", "ccmp")}, seen{proto.Network{SSID: "home", Security: proto.SecurityTransition, Signal: -61, Band: "5"}, false, 1}, false},
		"WPA3":                        {map[string]any{"RSN": ie("sae ft-sae", "ccmp gcmp-256", "ccmp"), "Frequency": uint16(6115)}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA3, Signal: -61, Band: "6"}, false, 1}, false},
		"open":                        {map[string]any{"RSN": nothing, "Privacy": false, "Frequency": uint16(2484)}, seen{proto.Network{SSID: "home", Security: proto.SecurityOpen, Signal: -61, Band: "2.4"}, false, 1}, false},
		"WEP":                         {map[string]any{"RSN": nothing}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"WPA alone":                   {map[string]any{"RSN": nothing, "WPA": ie("wpa-psk", "tkip", "tkip")}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"TKIP alone":                  {map[string]any{"RSN": ie("wpa-psk", "tkip", "tkip")}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"a company's":                 {map[string]any{"RSN": ie("wpa-eap", "ccmp", "ccmp")}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"encrypted without password":  {map[string]any{"RSN": ie("owe", "ccmp", "ccmp"), "Privacy": false}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"a way with no name yet":      {map[string]any{"RSN": ie("", "ccmp", "ccmp"), "Privacy": false}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"it does not say what RSN is": {map[string]any{"RSN": nil, "Privacy": false}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"it does not say Privacy":     {map[string]any{"RSN": nothing, "Privacy": nil}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"other types":                 {map[string]any{"RSN": "wpa-psk", "WPA": int32(4), "Privacy": "no"}, seen{proto.Network{SSID: "home", Security: proto.SecurityOther, Signal: -61, Band: "5"}, false, 1}, false},
		"signals from elsewhere":      {map[string]any{"Signal": int16(-32768)}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: -120, Band: "5"}, false, 1}, false},
		"a signal of quality":         {map[string]any{"Signal": int16(70)}, seen{proto.Network{SSID: "home", Security: proto.SecurityWPA2, Signal: 0, Band: "5"}, false, 1}, false},
		"hidden":                      {map[string]any{"SSID": []byte{}}, seen{}, true},
		"hidden by zeros":             {map[string]any{"SSID": make([]byte, 8)}, seen{}, true},
		"a name that is too long":     {map[string]any{"SSID": make([]byte, 33)}, seen{}, true},
		"no name":                     {map[string]any{"SSID": nil}, seen{}, true},
		"a name of another type":      {map[string]any{"SSID": "home"}, seen{}, true},
		"no access point":             {map[string]any{"Mode": "ad-hoc"}, seen{}, true},
		"no band of ours":             {map[string]any{"Frequency": uint16(58320)}, seen{}, true},
		"long ago":                    {map[string]any{"Age": uint32(100)}, seen{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := readBSS(with(c.change))
			if ok == c.hidden || got != c.want {
				t.Errorf("readBSS() = %+v, %v", got, ok)
			}
		})
	}
}

func TestWhatAClientIsShown(t *testing.T) {
	of := func(ssid string, s proto.Security, signal int, band string) seen {
		return seen{proto.Network{SSID: proto.SSID(ssid), Security: s, Signal: signal, Band: band}, false, 0}
	}
	got := list([]seen{
		of("weak", proto.SecurityWPA2, -90, "2.4"),
		of("home", proto.SecurityWPA2, -70, "2.4"),
		of("home", proto.SecurityWPA3, -40, "5"), // a newer access point
		of("home", proto.SecurityOpen, -10, "5"), // someone else's
		of("cafe", proto.SecurityOpen, -60, "2.4"),
		of("cafe", proto.SecurityOther, -80, "2.4"),
	})
	want := []proto.Network{
		{SSID: "home", Security: proto.SecurityTransition, Signal: -10, Band: "5"},
		{SSID: "cafe", Security: proto.SecurityOther, Signal: -60, Band: "2.4"},
		{SSID: "weak", Security: proto.SecurityWPA2, Signal: -90, Band: "2.4"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("list() = %+v\nwant %+v", got, want)
	}
	var street []seen
	for i := range 100 {
		street = append(street, of(fmt.Sprint("net ", i), proto.SecurityWPA2, -100+i, "5"))
	}
	if got := list(street); len(got) != proto.MaxNetworks || got[0].SSID != "net 99" || got[31].SSID != "net 68" {
		t.Errorf("of a hundred networks it shows %d: %v", len(got), got)
	}
	if got := list(nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing it shows %v, not an empty list", got)
	}
}

// TestTheWayIn: what is asked for, what is heard, and what wpa_supplicant is told.
func TestTheWayIn(t *testing.T) {
	secret := proto.WiFi{SSID: "home", Password: homeKey}
	strong, raw, hidden := secret, secret, secret
	strong.Security, raw.Password, hidden.Hidden = proto.SecurityWPA3, rawPSK, true
	base := map[string]any{"ssid": []byte("home"), "id_str": "camd", "priority": int32(1), "proto": "RSN", "pairwise": "CCMP", "group": "CCMP TKIP"}
	psk := map[string]any{"key_mgmt": "WPA-PSK", "psk": homeKey, "ieee80211w": uint32(1)}
	sae := map[string]any{"key_mgmt": "SAE", "sae_password": []byte(homeKey), "ieee80211w": uint32(2)}
	for name, c := range map[string]struct {
		wifi   proto.WiFi
		heard  proto.Security
		sha256 bool
		code   proto.Code
		want   map[string]any // beside base
	}{
		"WPA2":                    {secret, proto.SecurityWPA2, false, "", psk},
		"both":                    {secret, proto.SecurityTransition, false, "", psk},
		"both, WPA3 as asked for": {strong, proto.SecurityTransition, false, "", sae},
		"WPA3":                    {secret, proto.SecurityWPA3, false, "", sae},
		"SHA-256 alone":           {secret, proto.SecurityWPA2, true, "", map[string]any{"key_mgmt": "WPA-PSK-SHA256", "psk": homeKey, "ieee80211w": uint32(1)}},
		"the key itself":          {raw, proto.SecurityWPA2, false, "", map[string]any{"key_mgmt": "WPA-PSK", "psk": []byte("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"), "ieee80211w": uint32(1)}},
		"hidden":                  {hidden, proto.SecurityWPA2, false, "", map[string]any{"key_mgmt": "WPA-PSK", "psk": homeKey, "ieee80211w": uint32(1), "scan_ssid": int32(1)}},
		"weaker than asked for":   {strong, proto.SecurityWPA2, false, proto.CodeWiFiSecurity, nil},
		"open, of a known one":    {proto.WiFi{SSID: "home", OpenOK: true, Security: proto.SecurityWPA2}, proto.SecurityOpen, false, proto.CodeWiFiOpen, nil},
		"open":                    {proto.WiFi{SSID: "home"}, proto.SecurityOpen, false, proto.CodeWiFiOpen, nil},
		"open, with a password":   {proto.WiFi{SSID: "home", Password: homeKey, OpenOK: true}, proto.SecurityOpen, false, proto.CodeWiFiOpen, nil},
		"another way":             {secret, proto.SecurityOther, false, proto.CodeWiFiSecurity, nil},
		"no password":             {proto.WiFi{SSID: "home", OpenOK: true}, proto.SecurityWPA2, false, proto.CodeWiFiPassword, nil},
	} {
		t.Run(name, func(t *testing.T) {
			by, err := choose(c.wifi, seen{proto.Network{SSID: c.wifi.SSID, Security: c.heard}, c.sha256, 0})
			if c.code != "" {
				if !problemOf(err, c.code) {
					t.Errorf("choose() = %v, %v, want %s", by, err, c.code)
				}
				return
			}
			want := map[string]any{}
			for _, m := range []map[string]any{base, c.want} {
				for k, v := range m {
					want[k] = v
				}
			}
			if got := settings(c.wifi, by); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("it tells wpa_supplicant %v, %v\nwant %v", got, err, want)
			}
		})
	}
	open := settings(proto.WiFi{SSID: "cafe"}, wayOpen)
	if want := map[string]any{"ssid": []byte("cafe"), "id_str": "camd", "priority": int32(1), "key_mgmt": "NONE"}; !reflect.DeepEqual(open, want) {
		t.Errorf("of an open network it tells %v", open)
	}
}

// FuzzScan: whatever is in the air, what a client is shown is bounded and fit to be shown,
// and only what is certainly open counts as open.
func FuzzScan(f *testing.F) {
	f.Add([]byte("home"), int16(-50), uint16(2437), "infrastructure", "wpa-psk sae", "ccmp", "ccmp", true, byte(0))
	f.Add([]byte{0, 0}, int16(0), uint16(5180), "infrastructure", "", "", "", false, byte(0))
	f.Add([]byte("\xff\n\u202e"), int16(-1), uint16(6115), "infrastructure", "", "", "", false, byte(3))
	f.Fuzz(func(t *testing.T, ssid []byte, signal int16, frequency uint16, mode, keys, pairwise, group string, private bool, strange byte) {
		p := map[string]dbus.Variant{}
		for i, m := range []struct {
			name string
			v    any
		}{
			{"SSID", ssid},
			{"Signal", signal},
			{"Frequency", frequency},
			{"Mode", mode},
			{"Privacy", private},
			{"RSN", ie(keys, pairwise, group)},
			{"WPA", ie(group, keys, "")},
		} {
			p[m.name] = dbus.MakeVariant(m.v)
			if int(strange)%16 == i {
				p[m.name] = dbus.MakeVariant([]string{keys, mode})
			}
			if int(strange)/16 == i {
				delete(p, m.name)
			}
		}
		n, ok := readBSS(p)
		if !ok {
			return
		}
		if len(n.SSID) == 0 || len(n.SSID) > 32 || n.Signal < -120 || n.Signal > 0 || n.Band == "" {
			t.Errorf("%+v", n)
		}
		if n.Security == proto.SecurityOpen && (private || keys != "" && strings.TrimSpace(keys) != "" || strings.TrimSpace(pairwise) != "" || group != "") {
			t.Errorf("it counts as open: %v", p)
		}
		for _, r := range foreign.Name(string(n.SSID)) {
			if r < ' ' || r == '\u202e' {
				t.Errorf("its name is shown as %q", foreign.Name(string(n.SSID)))
			}
		}
		if l := list([]seen{n, n}); len(l) != 1 || l[0] != n.Network {
			t.Errorf("it is shown as %v", l)
		}
	})
}
