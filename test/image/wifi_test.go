package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/link/linktest"
)

// upstream are wpa_supplicant's own rules (its dbus-wpa_supplicant.conf), as Buildroot
// installs them.
const upstream = `<busconfig>
<policy user="root"><allow own="fi.w1.wpa_supplicant1"/><allow send_destination="fi.w1.wpa_supplicant1"/>
<allow send_interface="fi.w1.wpa_supplicant1"/><allow receive_sender="fi.w1.wpa_supplicant1" receive_type="signal"/></policy>
<policy context="default"><deny own="fi.w1.wpa_supplicant1"/><deny send_destination="fi.w1.wpa_supplicant1"/>
<deny receive_sender="fi.w1.wpa_supplicant1" receive_type="signal"/></policy></busconfig>`

// TestOnlyCamdMayUseWiFi: camd may do what it does, and neither load what wpa_supplicant
// would run as root nor take an interface away; other users may do nothing.
func TestOnlyCamdMayUseWiFi(t *testing.T) {
	t.Parallel()
	need(t, "dbus-daemon", "dbus-send", "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("only root can call as another user")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	own := read(t, tree.path("board/common/rootfs-overlay/etc/dbus-1/system.d/camd-wifi.conf"))
	// This machine may know no camd: the rules' user is nobody here.
	must(t, os.WriteFile(dir+"/own.conf", []byte(strings.ReplaceAll(string(own), `"camd"`, `"nobody"`)), 0o600))
	must(t, os.WriteFile(dir+"/upstream.conf", []byte(upstream), 0o600))
	address := "unix:abstract=camd-test-wifi-" + filepath.Base(filepath.Dir(dir)) + fmt.Sprint(os.Getpid())
	must(t, os.WriteFile(dir+"/bus.conf", fmt.Appendf(nil, `<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="*"/><allow send_destination="org.freedesktop.DBus"/></policy>
<include>%s/upstream.conf</include><include>%s/own.conf</include></busconfig>`, address, dir, dir), 0o600))
	cmd := exec.Command("dbus-daemon", "--config-file="+dir+"/bus.conf", "--nofork", "--nopidfile")
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var conn *dbus.Conn
	linktest.Until(t, "the bus is there", func() bool {
		var err error
		conn, err = dbus.Connect(address)
		return err == nil
	})
	t.Cleanup(func() { _ = conn.Close() })
	_, err := conn.RequestName("fi.w1.wpa_supplicant1", 0)
	must(t, err)

	const of = "fi.w1.wpa_supplicant1"
	for _, c := range []struct {
		method string
		camd   bool
	}{
		{"org.freedesktop.DBus.Properties.Get", true},
		{"org.freedesktop.DBus.Properties.GetAll", true},
		{"org.freedesktop.DBus.Properties.Set", true},
		{of + ".Interface.Scan", true},
		{of + ".Interface.AddNetwork", true},
		{of + ".Interface.SelectNetwork", true},
		{of + ".Interface.RemoveNetwork", true},
		{of + ".Interface.Reassociate", true},
		{of + ".Interface.SetPKCS11EngineAndModulePath", false},
		{of + ".Interface.AddBlob", false},
		{of + ".Interface.RemoveAllNetworks", false},
		{of + ".CreateInterface", false},
		{of + ".RemoveInterface", false},
	} {
		for _, uid := range []string{"nobody", "daemon"} {
			out, _ := exec.CommandContext(t.Context(), "setpriv", "--reuid="+uid, "--clear-groups", "dbus-send", "--bus="+address,
				"--print-reply", "--dest="+of, "/", c.method).CombinedOutput()
			denied := strings.Contains(string(out), "AccessDenied")
			if want := !c.camd || uid != "nobody"; denied != want || !denied && !strings.Contains(string(out), "Unknown") {
				t.Errorf("%s by %s: %s", c.method, uid, out)
			}
		}
	}
}

// TestHowWPASupplicantStarts: with the networks on the card, where there are any, and always
// open to camd.
func TestHowWPASupplicantStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/wpa_supplicant", []byte("#!/bin/sh\necho $*\n"), 0o755))
	start := func() string {
		cmd := exec.CommandContext(t.Context(), tree.path("board/common/rootfs-overlay/usr/libexec/camd/wifi"), "wlan0")
		cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "CAMD_WPA_CONF=" + dir}
		out, err := cmd.Output()
		must(t, err)
		return strings.TrimSpace(string(out))
	}
	if got, want := start(), "-u -i wlan0 -C /run/wpa_supplicant"; got != want {
		t.Errorf("it starts with %s, want %s", got, want)
	}
	must(t, os.WriteFile(dir+"/wpa_supplicant-wlan0.conf", nil, 0o600))
	if got, want := start(), "-u -i wlan0 -c "+dir+"/wpa_supplicant-wlan0.conf"; got != want {
		t.Errorf("it starts with %s, want %s", got, want)
	}
}
