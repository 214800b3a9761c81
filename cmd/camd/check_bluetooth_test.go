package main

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
)

func TestCheckBluetooth(t *testing.T) {
	b := bluetest.New(t)
	says := func(when, adapter, want string, wrong int) {
		t.Helper()
		var out bytes.Buffer
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)}
		r.bluetooth(t.Context(), adapter)
		_ = r.w.Flush()
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasPrefix(got, "Bluetooth "+want) || r.wrong != wrong {
			t.Errorf("%s, %q: %q with %d wrong, want %q with %d", when, adapter, got, r.wrong, want, wrong)
		}
	}
	says("there", "auto", "ok phones find this camera by hci0, while pairing is open", 0)
	says("there", "hci1", "ok phones find this camera by hci1", 0)
	says("there", "hci7", `WRONG BlueZ has no adapter "hci7"`, 1)
	says("there", "off", "- setup.ble is off: phones don't find this camera", 0)
	says("there", "on", `WRONG ble = "on"`, 1)
	if b.Get(bluetest.Camera, "org.bluez.Adapter1", "Powered") != false {
		t.Error("a look has switched the radio on")
	}
	b.Stop()
	says("no BlueZ", "auto", "- there is no Bluetooth here: BlueZ does not run; phones don't find this camera", 0)
	says("no BlueZ", "hci0", "WRONG there is no Bluetooth here: BlueZ does not run", 1)
}
