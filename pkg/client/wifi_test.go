package client

import (
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Why the camera does nothing about its Wi-Fi is the error, and nothing of it is in the log.
func TestWiFiThatIsNotTried(t *testing.T) {
	d, camera := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) {
		return proto.CodeOK, proto.WiFiStatus{Problem: &proto.WiFiProblem{Code: proto.CodeNoWiFi, Reason: "There is none."}}
	}
	d.tamper = func(_ proto.Request, a *proto.Answer) { entry(d, a, nil) }
	for _, q := range []proto.WiFiRequest{{Do: proto.WiFiDoStatus}, {Do: proto.WiFiDoJoin, WiFi: &proto.WiFi{SSID: "home"}}} {
		if now, err := camera.WiFi(t.Context(), q); err == nil || !strings.Contains(err.Error(), "There is none.") || now.Problem.Code != proto.CodeNoWiFi {
			t.Errorf("%s: %+v, %v", q.Do, now, err)
		}
	}
	if a := camera.Alarm(); a != nil {
		t.Errorf("alarm %+v", a)
	}
	// That it tries one it must log.
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeOK, proto.WiFiStatus{Trying: "home"} }
	if now, err := camera.WiFi(t.Context(), proto.WiFiRequest{Do: proto.WiFiDoJoin, WiFi: &proto.WiFi{SSID: "home"}}); err != nil || now.Trying != "home" {
		t.Errorf("%+v, %v", now, err)
	}
	if a := camera.Alarm(); a == nil || a.Kind != home.AlarmEntry {
		t.Errorf("alarm %+v", a)
	}
}
