package lab

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestBluetoothInTheLab: what BlueZ offers on one controller is seen and read from the
// other, also after a power cut. A controller may go, and another come.
func TestBluetoothInTheLab(t *testing.T) {
	t.Parallel()
	a := onAir(t, namespace(t), nil, nil)
	a.bluetooth()
	a.offerAndRead()
	must(t, a.Signal(patient(t), "controller-0", syscall.SIGKILL))
	eventually(t, "hci0 is gone", func() bool {
		found, err := a.Glob(patient(t), "/sys/class/bluetooth/hci0")
		must(t, err)
		return len(found) == 0
	})
	a.plugController(0)
	a.offerAndRead()
	a.powerCycle()
	a.bluetooth()
	a.offerAndRead()
}

// offerAndRead offers a value on one controller and reads it from the other.
func (a *air) offerAndRead() {
	a.t.Helper()
	const uuid = "995c0000-0000-4000-8000-00000000001a"
	a.besides("neighbour")
	must(a.t, a.Start(patient(a.t), "peripheral", "/bin/radio", "advertise", "hci0", uuid))
	a.says("peripheral", "advertised")
	must(a.t, a.Start(patient(a.t), "central", "/bin/radio", "read", "hci1", uuid))
	a.t.Log(a.says("central", `read "a value over the air"`))
	_, err := a.Ended(patient(a.t), "central")
	must(a.t, err)
	a.kill("peripheral", syscall.SIGTERM)
	a.kill("neighbour", syscall.SIGTERM)
}

// TestWiFiInTheLab: a station joins each kind of network, reaches the host by it, and is
// refused with a wrong password; the way behind the access point may end, and so may the
// access point.
func TestWiFiInTheLab(t *testing.T) {
	t.Parallel()
	a := onAir(t, namespace(t), nil, nil)
	a.wifi()
	const password = "correct horse"
	p := a.on(accessPoint{SSID: "lab", Password: password, Security: wpa2})
	for _, c := range []struct {
		name       string
		security   security
		management string
	}{{"WPA2", wpa2, "WPA-PSK"}, {"transition, by PSK", transition, "WPA-PSK"}, {"WPA3", wpa3, "SAE"}, {"open", unprotected, "NONE"}} {
		p.Security = c.security
		p.off()
		p.again()
		t.Log(c.name)
		if c.security == wpa2 || c.security == wpa3 {
			r, err := a.Run(patient(t), "/bin/radio", "join", "wlan0", p.SSID, c.management, "wrong horse")
			must(t, err)
			t.Logf("with a wrong password: %s", r.Stdout)
			if r.Exit == 0 || !strings.Contains(string(r.Stdout), "refused") {
				t.Errorf("%s: a wrong password was not refused", c.name)
			}
		}
		t.Log(a.must("/bin/radio", "join", "wlan0", p.SSID, c.management, password))
		a.reaches(HostAddress.Addr().String(), true)
	}
	a.internet(false)
	a.reaches(HostAddress.Addr().String(), false)
	a.reaches(p.Address(), true)
	a.internet(true)
	a.reaches(HostAddress.Addr().String(), true)

	p.vanish()
	a.carrier("0\n")
	p.again()
	a.carrier("1\n")
}

// reaches waits until the guest reaches an address, or does not.
func (a *air) reaches(address string, want bool) {
	a.t.Helper()
	eventually(a.t, fmt.Sprintf("that %s answers is %v", address, want), func() bool {
		r, err := a.Run(patient(a.t), "/bin/ping", "-c", "1", "-W", "1", address)
		must(a.t, err)
		return (r.Exit == 0) == want
	})
}

// carrier waits until the guest's station is in a network, or not.
func (a *air) carrier(want string) {
	a.t.Helper()
	eventually(a.t, "the carrier of wlan0 is "+want, func() bool {
		got, err := a.Get(patient(a.t), "/sys/class/net/wlan0/carrier")
		must(a.t, err)
		return string(got) == want
	})
}
