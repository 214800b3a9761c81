package lab

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/lab/agent"
)

const (
	authorityPath = "/root/pki"
	passwordPath  = "/root/password"
	homePassword  = "correct horse"
)

// unboxed is a camera out of its box, in a home with an access point: it has an identity, and
// neither Wi-Fi nor broker.
type unboxed struct {
	*household
	air   *air
	home  security
	point *accessPoint
}

// unbox boots a camera that nobody has set up, with what video says of its camera, in the
// home's Wi-Fi of that security. The household's authority is in the guest, too, for whoever
// sets it up there.
func unbox(t *testing.T, video string, home security) *unboxed {
	t.Helper()
	config := fmt.Sprintf("[device]\nname = \"lab\"\nstate = %q\nsocket = %q\nlog_level = \"debug\"\n%s%s%s", statePath, socketPath, video, silent, panel)
	h, a := wireless(t, config, []Disk{disk(t)}, append([]string{"uinput", "evdev"}, usb...)...)
	u := &unboxed{household: h, air: a, home: home}
	u.label = h.identity("off")
	u.switchOn()
	return u
}

// switchOn has everything run that a power cut ends.
func (u *unboxed) switchOn() {
	u.t.Helper()
	u.Guest = u.air.Guest
	u.carry(u.pki.Path(), authorityPath)
	u.air.bluetooth()
	u.air.besides("neighbour")
	u.air.wifi()
	u.point = u.air.on(accessPoint{SSID: "home", Password: homePassword, Security: u.home})
	must(u.t, u.Keyboard(patient(u.t), agent.Keyboard{Name: buttons, Keys: []uint16{pairKey, eyeKey}}))
	must(u.t, u.Plug(patient(u.t), clipPath))
	u.startCamd()
}

func (u *unboxed) startCamd() {
	u.t.Helper()
	must(u.t, u.Start(patient(u.t), "camd", "/bin/camd", "run", "--config", configPath))
	u.condition("panel", "ok")
}

// carry copies a folder of the host into the guest.
func (u *unboxed) carry(from, to string) {
	u.t.Helper()
	must(u.t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return u.Put(patient(u.t), to+"/"+name, info.Mode().Perm(), data)
	}))
}

// setUp begins to set the camera up as whoever holds a phone does: the button, and then, over
// Bluetooth, everything in one conversation. It is the process phone.
func (u *unboxed) setUp(password string) {
	u.t.Helper()
	must(u.t, u.Put(patient(u.t), passwordPath, 0o600, []byte(password+"\n")))
	u.press(pairKey, 3500*time.Millisecond)
	must(u.t, u.Start(patient(u.t), "phone", "/bin/camctl", "--home", homePath, "pair", "--ble", "--adapter", "hci1",
		"--label", u.label, "--wifi", u.point.SSID, "--wifi-password-file", passwordPath,
		"--broker", "mqtts://"+brokerAddress(), "--ca", authorityPath))
}

// ended waits until the phone has ended, and returns what it said and whether it ended well.
func (u *unboxed) ended() (said string, ok bool) {
	u.t.Helper()
	exit, err := u.Ended(patient(u.t), "phone")
	must(u.t, err)
	return strings.Join(u.Said("phone"), "\n"), exit == 0
}

// The camera gives a network, and an address in it, some time. On a machine with other work
// the emulated radios may need more: then the owner tries again, as a person would.
const retries = 3

// tired reports whether a set-up or change ended as it may on a busy machine, and not as it
// should (why).
func (u *unboxed) tired(said, why string) bool {
	for _, code := range []proto.Code{proto.CodeWiFiNotFound, proto.CodeWiFiNoAddress} {
		if s := code.Sentence(); s != why && strings.Contains(said, s) {
			u.t.Logf("once more: %s", s)
			return true
		}
	}
	return false
}

// setUpTo sets the camera up until it is at a step.
func (u *unboxed) setUpTo(at proto.SetupStep) {
	u.t.Helper()
	for range retries {
		u.setUp(homePassword)
		if _, ok := u.air.said("phone", at.Sentence()); ok {
			return
		}
		said, _ := u.ended()
		if !u.tired(said, "") {
			u.t.Fatalf("camctl pair --ble ended before %q:\n%s", at.Sentence(), said)
		}
	}
	u.t.Fatal("the camera never joins the network")
}

// setsUp sets the camera up to the end, and returns what the phone said and whether it ended
// well.
func (u *unboxed) setsUp(password string) (said string, ok bool) {
	u.t.Helper()
	for range retries {
		u.setUp(password)
		if said, ok = u.ended(); !u.tired(said, "") {
			break
		}
	}
	return said, ok
}

// asBefore checks that the camera is as it came out of its box.
func (u *unboxed) asBefore(after string) {
	u.t.Helper()
	reason := u.condition("broker", "degraded")
	if !strings.Contains(reason, "not set up yet") {
		u.t.Errorf("after %s the broker is %q", after, reason)
	}
	if n := u.members(); n != 0 {
		u.t.Errorf("after %s there are %d members", after, n)
	}
	eventually(u.t, "no Wi-Fi is in force after "+after, func() bool { return u.condition("wifi", "ok") == "no network is set up" })
}

// TestFromTheBoxToALivePicture: the button is held, a phone sets the camera up over Bluetooth,
// and the owner sees a live picture through the Wi-Fi just set up.
func TestFromTheBoxToALivePicture(t *testing.T) {
	t.Parallel()
	u := unbox(t, usbVideo, transition) // a camera that encodes by itself leaves the processor to the radios
	u.asBefore("unboxing")
	began := time.Now()
	said, ok := u.setsUp(homePassword)
	if !ok {
		t.Fatalf("camctl pair --ble failed:\n%s", said)
	}
	t.Logf("after %.1f s:\n%s", time.Since(began).Seconds(), said)
	u.condition("broker", "ok")
	u.handOut()
	w := u.watch()
	w.more(second{}, 1)
	t.Logf("%.1f s from the button to a live picture", time.Since(began).Seconds())
	u.movesHouse()
	u.powerCycle()
	u.condition("broker", "ok")
	u.watch().more(second{}, 1)
	u.stop()
}

// movesHouse has the owner change the camera's Wi-Fi while it is online: to a WPA3 network,
// which then vanishes and comes back; with a wrong password and to one that leads nowhere, and
// each time it is in the former network again; and back to the first.
func (u *unboxed) movesHouse() {
	u.t.Helper()
	attic := u.air.on(accessPoint{SSID: "attic", Password: "battery staple", Security: wpa3})
	u.wifi(attic.SSID, attic.Password, "")
	attic.vanish()
	u.condition("broker", "failed")
	attic.again()
	u.condition("broker", "ok")
	u.wifi(u.point.SSID, "wrong horse", proto.CodeWiFiPassword.Sentence())
	u.point.addresses(false)
	u.wifi(u.point.SSID, u.point.Password, proto.CodeWiFiNoAddress.Sentence())
	u.point.addresses(true)
	u.wifi(u.point.SSID, u.point.Password, "")
}

// wifi has the owner's camctl change the camera's Wi-Fi, which must work, or fail with why.
func (u *unboxed) wifi(ssid, password, why string) {
	u.t.Helper()
	file := filepath.Join(u.t.TempDir(), "password")
	must(u.t, os.WriteFile(file, []byte(password+"\n"), 0o600))
	began := time.Now()
	_, problems, err := u.try("wifi", "--join", ssid, "--password-file", file)
	for range retries {
		if err == nil || !u.tired(string(problems), why) {
			break
		}
		u.condition("broker", "ok")
		_, problems, err = u.try("wifi", "--join", ssid, "--password-file", file)
	}
	if (err == nil) != (why == "") || !strings.Contains(string(problems), why) {
		u.t.Fatalf("camctl wifi --join %s: %v, want %q\n%s", ssid, err, why, problems)
	}
	u.t.Logf("after %.1f s in %s: %s", time.Since(began).Seconds(), ssid, cmp.Or(why, "in it"))
	u.condition("broker", "ok")
}

// powerCycle cuts the power, and switches the camera on again.
func (u *unboxed) powerCycle() {
	u.t.Helper()
	u.air.powerCycle()
	must(u.t, u.air.Mount(patient(u.t), firstDisk, statePath))
	u.switchOn()
}
