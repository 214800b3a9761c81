//go:build lab && linux

package wifi

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// TestRealRadios runs in a guest of the lab (test/lab), with radios of mac80211_hwsim,
// hostapd, and a system bus: what the fake promises, the real wpa_supplicant does.
func TestRealRadios(t *testing.T) {
	w := &air{t: t, points: map[string]*raised{}}
	w.start()
	t.Cleanup(w.stop)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.addresses(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	t.Cleanup(func() {
		for ssid := range w.points {
			w.lower(ssid)
		}
	})
	keepsContract(t, w)
}

// air is the guest's: up to two access points, each a radio in the namespace of that name.
type air struct {
	t          *testing.T
	supplicant *exec.Cmd
	points     map[string]*raised // by SSID
	moved      [3]bool            // the radio is in the namespace
}

type raised struct {
	number   int
	programs []*exec.Cmd
}

func (a *air) start() {
	a.supplicant = exec.Command("/sbin/wpa_supplicant", "-u", "-i", "wlan0", "-C", "/run/wpa_supplicant")
	a.supplicant.Stdout, a.supplicant.Stderr = os.Stdout, os.Stderr
	must(a.t, a.supplicant.Start())
	eventually(a.t, "wpa_supplicant has its interface", func() bool {
		_, err := New(slog.New(slog.DiscardHandler), nil).Interface(a.t.Context())
		return err == nil
	})
}

func (a *air) stop() { _ = a.supplicant.Process.Kill(); _ = a.supplicant.Wait() }

func (a *air) restart() { a.stop(); a.start() }

func (a *air) radio(r *Radio) *Radio {
	r.wait.settle, r.wait.look, r.wait.address = 3*time.Second, time.Second, 15*time.Second
	return r
}

// addresses asks for one in each network again, as systemd-networkd does in the image.
func (a *air) addresses(ctx context.Context) {
	last := ""
	end := func() {}
	for ctx.Err() == nil {
		if now, _, err := a.where(ctx); err == nil && now != last {
			end()
			last, end = now, func() {}
			_ = exec.Command("/bin/ip", "address", "flush", "dev", "wlan0").Run()
			if now != "" {
				client := exec.Command("/bin/udhcpc", "-i", "wlan0", "-f", "-t", "1000", "-T", "1", "-s", "/etc/lab/lease")
				if err := client.Start(); err != nil {
					a.t.Error(err)
					return
				}
				end = func() { _ = client.Process.Kill(); _ = client.Wait() }
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	end()
}

func (a *air) how() (ssid, by string) {
	ssid, by, err := a.where(a.t.Context())
	must(a.t, err)
	return ssid, by
}

func (a *air) where(ctx context.Context) (ssid, by string, err error) {
	r := New(slog.New(slog.DiscardHandler), nil)
	s, c, err := r.open(ctx)
	if err != nil {
		return "", "", err
	}
	defer s.close()
	name := r.current(ctx, s, c)
	if name == "" {
		return "", "", nil
	}
	by, err = property[string](ctx, s, c.at, interfaze, "CurrentAuthMode")
	return string(name), by, err
}

func (a *air) run(args ...string) {
	a.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		a.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// background starts a program in the access points' namespace, and waits until it says what
// it says when it serves.
func (a *air) background(serves string, args ...string) *exec.Cmd {
	a.t.Helper()
	cmd := exec.Command("/bin/ip", append([]string{"netns", "exec", "air"}, args...)...)
	out, err := cmd.StdoutPipe()
	must(a.t, err)
	cmd.Stderr = os.Stderr
	must(a.t, cmd.Start())
	lines := bufio.NewScanner(out)
	for serves != "" && lines.Scan() {
		if strings.Contains(lines.Text(), serves) {
			go func() { // it must be able to write on
				for lines.Scan() {
				}
			}()
			return cmd
		}
	}
	if serves != "" {
		a.t.Fatalf("%v ended without saying %q", args, serves)
	}
	return cmd
}

func (a *air) raise(p point) {
	a.t.Helper()
	n := 1
	for _, o := range a.points {
		n = 3 - o.number
	}
	card, address := fmt.Sprintf("wlan%d", n), fmt.Sprintf("10.20.%d.1", n)
	if !a.moved[n] {
		a.run("/sbin/iw", "phy", fmt.Sprintf("phy%d", n), "set", "netns", "name", "air")
		a.run("/bin/ip", "-n", "air", "address", "add", address+"/24", "dev", card)
		a.moved[n] = true
	}
	conf := fmt.Sprintf("interface=%s\ndriver=nl80211\nssid2=%x\nhw_mode=g\nchannel=%d\n", card, p.ssid, 1+5*(n-1)) + map[proto.Security]string{
		proto.SecurityOpen:       "",
		proto.SecurityWPA2:       "wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\n",
		proto.SecurityTransition: "wpa=2\nwpa_key_mgmt=WPA-PSK SAE\nrsn_pairwise=CCMP\nieee80211w=1\nsae_require_mfp=1\n",
		proto.SecurityWPA3:       "wpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\nsae_pwe=2\n",
	}[p.security]
	if p.password != "" {
		conf += "wpa_passphrase=" + p.password + "\n"
	}
	if p.hidden {
		conf += "ignore_broadcast_ssid=1\n"
	}
	if p.strict {
		conf += "macaddr_acl=1\n"
	}
	path := a.t.TempDir() + "/"
	must(a.t, os.WriteFile(path+"hostapd", []byte(conf), 0o600))
	must(a.t, os.WriteFile(path+"udhcpd", []byte(fmt.Sprintf(
		"start 10.20.%[1]d.10\nend 10.20.%[1]d.99\ninterface %[2]s\nlease_file %[4]sleases\nopt subnet 255.255.255.0\nopt router %[3]s\n", n, card, address, path)), 0o600))
	must(a.t, os.WriteFile(path+"leases", nil, 0o600))
	r := &raised{number: n, programs: []*exec.Cmd{a.background("AP-ENABLED", "/usr/sbin/hostapd", path+"hostapd")}}
	if !p.mute {
		r.programs = append(r.programs, a.background("", "/bin/udhcpd", "-f", path+"udhcpd"))
	}
	a.points[p.ssid] = r
}

// lower ends an access point as a cut of its power does: nobody is told.
func (a *air) lower(ssid string) {
	a.t.Helper()
	p := a.points[ssid]
	delete(a.points, ssid)
	a.run("/bin/ip", "-n", "air", "link", "set", fmt.Sprintf("wlan%d", p.number), "down")
	for _, cmd := range p.programs {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
