package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const bluezRules = "board/common/rootfs-overlay/etc/dbus-1/system.d/camd-bluez.conf"

// What BlueZ is told in every image: nobody bonds, no address stays, and the radio is off
// until camd wants it.
func TestBluetoothKeepsToItself(t *testing.T) {
	t.Parallel()
	lines := strings.Split(string(read(t, tree.path("board/common/rootfs-overlay/etc/bluetooth/main.conf"))), "\n")
	at := 0
	for _, want := range []string{
		"[General]", "Name = camd", "ControllerMode = le", "Privacy = device", "ReverseServiceDiscovery = false",
		"[GATT]", "Client = false", "[Policy]", "AutoEnable = false",
	} {
		i := slices.Index(lines[at:], want)
		if i < 0 {
			t.Fatalf("main.conf lacks %q, or has it in another place", want)
		}
		at += i
	}
	for _, board := range boards(t) {
		if text := string(read(t, tree.path("configs/camd_"+board+"_defconfig"))); !strings.Contains(text, "\nBR2_PACKAGE_BLUEZ5_UTILS=y\n") {
			t.Errorf("%s has no BlueZ", board)
		}
	}
	if preset := string(read(t, tree.path("board/common/rootfs-overlay/usr/lib/systemd/system-preset/10-camd.preset"))); !strings.Contains(preset, "enable bluetooth.service\n") {
		t.Error("bluetooth.service is not enabled")
	}
}

// Only camd's user and root may call BlueZ, whose own rules let everybody.
func TestOnlyCamdMayCallBlueZ(t *testing.T) {
	t.Parallel()
	need(t, "dbus-daemon", "dbus-send", "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("only root can call as another user")
	}
	dir := t.TempDir()
	// This machine may know no camd: the rules' user is nobody here.
	own := strings.ReplaceAll(string(read(t, tree.path(bluezRules))), `"camd"`, `"nobody"`)
	must(t, os.WriteFile(filepath.Join(dir, "own.conf"), []byte(own), 0o600))
	// Abstract: the run's folder is root's alone.
	address := "unix:abstract=camd-test-bluez-" + filepath.Base(filepath.Dir(dir)) + fmt.Sprint(os.Getpid())
	must(t, os.WriteFile(filepath.Join(dir, "bus.conf"), fmt.Appendf(nil, `<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="*"/><allow send_destination="org.freedesktop.DBus"/></policy>
<policy user="root"><allow own="org.bluez"/></policy><policy context="default"><allow send_destination="org.bluez"/></policy>
<include>%s/own.conf</include></busconfig>`, address, dir), 0o600))
	daemon := exec.Command("dbus-daemon", "--config-file="+dir+"/bus.conf", "--nofork", "--nopidfile")
	must(t, daemon.Start())
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	bluez := standIn(t, address)
	t.Cleanup(func() { _ = bluez.Close() })
	for uid, want := range map[string]bool{"0": true, "65534": true, "1": false} {
		for _, method := range []string{"org.freedesktop.DBus.ObjectManager.GetManagedObjects", "org.bluez.LEAdvertisingManager1.RegisterAdvertisement"} {
			out, err := run(t.Context(), "setpriv", "--reuid="+uid, "--clear-groups", "env", "DBUS_SYSTEM_BUS_ADDRESS="+address,
				"dbus-send", "--system", "--print-reply", "--dest=org.bluez", "/", method)
			said := out + fmt.Sprint(err)
			if denied := strings.Contains(said, "AccessDenied"); denied == want || !denied && !strings.Contains(said, "Unknown") {
				t.Errorf("user %s, %s: %s", uid, method, said)
			}
		}
	}
}

// standIn has BlueZ's name, and no objects.
func standIn(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := dbus.Connect(address)
		if err == nil {
			r, err := conn.RequestName("org.bluez", 0)
			if err != nil || r != dbus.RequestNameReplyPrimaryOwner {
				t.Fatal(r, err)
			}
			return conn
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
