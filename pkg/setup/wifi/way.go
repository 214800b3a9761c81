package wifi

import (
	"encoding/hex"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// way is how wpa_supplicant joins a network.
type way int

const (
	wayOpen way = iota
	wayPSK
	wayPSK256 // WPA2 with SHA-256, if nothing else is offered
	waySAE
)

// rawKey is the length of a key in place of a password.
const rawKey = 64 // IEEE 802.11-2020 annex J.4.1, in hexadecimal

// choose returns how to join a network, or the problem if it can't be joined. SAE is used only
// if nothing else is offered, because some drivers fail with it on networks that offer both.
// Weaker security than was asked for is never used.
func choose(w proto.WiFi, n seen) (way, error) {
	switch {
	case n.Security == proto.SecurityOther:
		return 0, problem(proto.CodeWiFiSecurity, "The Wi-Fi network does not use WPA2 or WPA3 with a password, and this camera supports nothing else.")
	case n.Security == proto.SecurityOpen && (w.Password != "" || w.Security != "" && w.Security != proto.SecurityOpen):
		return 0, problem(proto.CodeWiFiOpen, "The Wi-Fi network takes no password, so it may be someone else's of the same name. To join an open network give no password, and say that you want it.")
	case n.Security == proto.SecurityOpen && !w.OpenOK:
		return 0, &proto.SetupProblem{Code: proto.CodeWiFiOpen}
	case n.Security == proto.SecurityOpen:
		return wayOpen, nil
	case w.Password == "":
		return 0, problem(proto.CodeWiFiPassword, "The Wi-Fi network needs a password. Type it.")
	case n.Security == proto.SecurityWPA3 || n.Security == proto.SecurityTransition && w.Security == proto.SecurityWPA3:
		return waySAE, nil
	case w.Security == proto.SecurityWPA3:
		return 0, problem(proto.CodeWiFiSecurity, "The Wi-Fi network had WPA3 and has only WPA2 now, so someone else may have set it up. Choose it again if you want that.")
	case n.sha256:
		return wayPSK256, nil
	}
	return wayPSK, nil
}

// usual returns how to join a kept network that is not in reach yet.
func usual(w proto.WiFi) way {
	switch {
	case w.Password == "":
		return wayOpen
	case w.Security == proto.SecurityWPA3:
		return waySAE
	}
	return wayPSK
}

// mark distinguishes camd's networks in wpa_supplicant from those of its own file.
const mark = "camd"

// settings returns the options of wpa_supplicant.conf(5) for a network. SSID and password are
// byte arrays, which wpa_supplicant takes unchanged.
func settings(w proto.WiFi, by way) map[string]any {
	m := map[string]any{"ssid": []byte(w.SSID), "id_str": mark, "priority": int32(1)}
	if w.Hidden {
		m["scan_ssid"] = int32(1)
	}
	if by == wayOpen {
		m["key_mgmt"] = "NONE"
		return m
	}
	m["proto"], m["pairwise"], m["group"] = "RSN", "CCMP", "CCMP TKIP"
	switch by {
	case waySAE:
		m["key_mgmt"], m["ieee80211w"], m["sae_password"] = "SAE", uint32(2), []byte(w.Password)
		return m
	case wayPSK256:
		m["key_mgmt"] = "WPA-PSK-SHA256"
	default:
		m["key_mgmt"] = "WPA-PSK"
	}
	m["ieee80211w"] = uint32(1) // where the network can
	m["psk"] = string(w.Password)
	if key, err := hex.DecodeString(string(w.Password)); err == nil && len(w.Password) == rawKey {
		m["psk"] = key
	}
	return m
}

func problem(code proto.Code, detail string, args ...any) error {
	return &proto.SetupProblem{Code: code, Detail: fmt.Sprintf(detail, args...)}
}
