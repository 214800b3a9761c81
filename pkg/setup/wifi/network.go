package wifi

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds. A street full of access points has fewer.
const (
	maxSSID = 32  // bytes, IEEE 802.11-2020 section 9.4.2.2
	maxBSS  = 256 // access points
	maxAge  = 30  // seconds since one was last heard
)

// seen is a network as its access points announce it.
type seen struct {
	proto.Network
	sha256 bool   // its password works by the newer of WPA2's two ways alone
	age    uint32 // seconds since it was heard last
}

// readBSS returns the network of an access point, by wpa_supplicant's properties. It returns
// false for one that can't be shown or joined: hidden, a mesh, or in an unknown band. If it
// does not understand the security, the network is never open.
//
// Source: wpa_supplicant's doc/dbus.doxygen, fi.w1.wpa_supplicant1.BSS.
func readBSS(p map[string]dbus.Variant) (seen, bool) {
	var n seen
	ssid := value[[]byte](p, "SSID")
	frequency := value[uint16](p, "Frequency")
	n.SSID, n.Band = proto.SSID(ssid), band(frequency)
	if len(ssid) == 0 || len(ssid) > maxSSID || len(bytes.Trim(ssid, "\x00")) == 0 ||
		n.Band == "" || value[string](p, "Mode") != "infrastructure" || value[uint32](p, "Age") > maxAge {
		return seen{}, false
	}
	n.Signal = int(min(max(value[int16](p, "Signal"), -120), 0))
	n.Security, n.sha256 = security(p)
	n.age = value[uint32](p, "Age")
	return n, true
}

// value returns a member of a dictionary, or zero if it is missing or of another type.
func value[T any](p map[string]dbus.Variant, key string) T {
	v, _ := p[key].Value().(T)
	return v
}

// band returns the band of a frequency in GHz, or "" if it is unknown.
func band(mhz uint16) string {
	switch {
	case mhz >= 2400 && mhz < 2500:
		return "2.4"
	case mhz >= 4900 && mhz < 5925:
		return "5"
	case mhz >= 5925 && mhz <= 7125:
		return "6"
	}
	return ""
}

// security returns the security of an access point.
func security(p map[string]dbus.Variant) (s proto.Security, sha256 bool) {
	private, ok := p["Privacy"].Value().(bool)
	rsn, okRSN := p["RSN"].Value().(map[string]dbus.Variant)
	wpa, okWPA := p["WPA"].Value().(map[string]dbus.Variant)
	if !ok || !okRSN || !okWPA {
		return proto.SecurityOther, false
	}
	keys := value[[]string](rsn, "KeyMgmt")
	ccmp := slices.Contains(value[[]string](rsn, "Pairwise"), "ccmp")
	plain, newer := slices.Contains(keys, "wpa-psk"), slices.Contains(keys, "wpa-psk-sha256")
	psk, sae := ccmp && (plain || newer), ccmp && slices.Contains(keys, "sae")
	switch {
	case psk && sae:
		return proto.SecurityTransition, !plain
	case psk:
		return proto.SecurityWPA2, !plain
	case sae:
		return proto.SecurityWPA3, false
	case private || said(rsn) || said(wpa):
		return proto.SecurityOther, false
	}
	return proto.SecurityOpen, false
}

// said reports whether an access point announced anything of the kind.
func said(ie map[string]dbus.Variant) bool {
	return len(value[[]string](ie, "KeyMgmt")) > 0 || len(value[[]string](ie, "Pairwise")) > 0 || value[string](ie, "Group") != ""
}

// merge returns the networks of all access points: each SSID once, the strongest first.
func merge(all []seen) []seen {
	var l []seen
	for _, n := range all {
		i := slices.IndexFunc(l, func(o seen) bool { return o.SSID == n.SSID })
		if i < 0 {
			l = append(l, n)
			continue
		}
		if n.Signal > l[i].Signal {
			l[i].Signal, l[i].Band = n.Signal, n.Band
		}
		l[i].Security, l[i].sha256 = both(l[i], n)
	}
	slices.SortStableFunc(l, func(a, b seen) int {
		return cmp.Or(cmp.Compare(b.Signal, a.Signal), cmp.Compare(a.SSID, b.SSID))
	})
	return l
}

// both returns the security of a network with two access points. An open one beside one with
// a password does not count: it is someone else's.
func both(a, b seen) (s proto.Security, sha256 bool) {
	switch {
	case a.Security == b.Security:
		return a.Security, a.sha256 && b.sha256
	case !byPassword(b.Security) && byPassword(a.Security):
		return a.Security, a.sha256
	case !byPassword(a.Security) && byPassword(b.Security):
		return b.Security, b.sha256
	case !byPassword(a.Security):
		return proto.SecurityOther, false
	}
	psk := func(n seen) bool { return n.Security != proto.SecurityWPA3 }
	return proto.SecurityTransition, (!psk(a) || a.sha256) && (!psk(b) || b.sha256)
}

func byPassword(s proto.Security) bool {
	return s == proto.SecurityWPA2 || s == proto.SecurityTransition || s == proto.SecurityWPA3
}

// list returns the networks as a client sees them.
func list(all []seen) []proto.Network {
	l := []proto.Network{}
	for _, n := range merge(all) {
		if len(l) == proto.MaxNetworks {
			break
		}
		l = append(l, n.Network)
	}
	return l
}
