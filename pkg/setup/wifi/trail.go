package wifi

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/proto"
)

// States of wpa_supplicant that matter here.
const (
	stateAsking    = "authenticating"
	stateHandshake = "4way_handshake"
	stateCompleted = "completed"
)

// Reason and status codes of IEEE 802.11-2020, tables 9-49 and 9-50.
const (
	reasonInactivity   = 4
	reasonOtherElement = 17 // in the handshake

	statusChallenge = 15 // of SAE: the password does not fit
	statusFull      = 17
	statusLater     = 30
	statusToken     = 76 // SAE goes on
	statusGroup     = 77 // there too
	statusElement   = 126
)

// How often something must happen before it counts: a weak signal can look like a wrong
// password, and a busy access point refuses now and then.
const (
	wrongTimes   = 2
	refusedTimes = 3
)

// trail collects what wpa_supplicant reports while it tries to join a network.
type trail struct {
	by      way
	state   string
	half    bool // the access point has accepted the first half of SAE's exchange
	wrong   int  // times that the password did not fit
	refused int  // times that the access point refused
	status  int  // its last status code
}

// follow adds the changed properties of an interface. wpa_supplicant reports why a connection
// ended before it leaves the state in which it was.
func (t *trail) follow(changed map[string]dbus.Variant) {
	before := t.state
	if s := value[string](changed, "State"); s != "" {
		t.state = s
	}
	if t.state == stateCompleted {
		t.wrong, t.refused = 0, 0
	}
	if r, ok := changed["DisconnectReason"].Value().(int32); ok && (before == stateHandshake || t.state == stateHandshake) &&
		t.by != waySAE && r != -reasonInactivity && r != -reasonOtherElement {
		t.wrong++
	}
	if t.state == stateAsking && before != stateAsking {
		t.half = false
	}
	for _, name := range []string{"AuthStatusCode", "AssocStatusCode"} {
		if code, ok := changed[name].Value().(int32); ok {
			t.answer(int(code))
		}
	}
	if t.state != stateAsking {
		t.half = false
	}
}

// answer adds a status code. In the second half of SAE's exchange each side shows that it
// knows the password, and hostapd refuses a wrong one with "unspecified".
func (t *trail) answer(code int) {
	sae := t.by == waySAE
	switch {
	case code == 0, sae && code == statusElement:
		t.half = true
	case code == statusLater, sae && (code == statusToken || code == statusGroup):
	case sae && (code == statusChallenge || t.half):
		t.wrong++
		t.half = false
	default:
		t.refused++
		t.status = code
	}
}

// sure reports whether trying further is useless.
func (t *trail) sure() bool { return t.wrong >= wrongTimes || t.refused >= refusedTimes }

// verdict returns why a network was not joined, for people. It does not name the network,
// because guests can read it in the status.
func (t *trail) verdict(heard bool) *proto.SetupProblem {
	refused := func(text string) *proto.SetupProblem {
		return &proto.SetupProblem{Code: proto.CodeWiFiRefused, Detail: text}
	}
	switch {
	case t.wrong > 0:
		return &proto.SetupProblem{Code: proto.CodeWiFiPassword}
	case !heard:
		return &proto.SetupProblem{Code: proto.CodeWiFiNotFound}
	case t.refused > 0 && t.status == statusFull:
		return refused("The Wi-Fi network accepts no more devices. Switch another one off, or restart the router.")
	case t.refused > 0:
		return refused(fmt.Sprintf("The Wi-Fi network refuses the camera (status %d of IEEE 802.11). Check whether the router accepts only listed devices.", t.status))
	}
	return refused("The Wi-Fi network does not answer the camera, though it is in range. Bring the camera closer, or restart the router.")
}
