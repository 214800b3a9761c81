package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Programs of Debian's that a guest with radios has.
var radioPrograms = []string{
	"usr/bin/dbus-daemon",
	"usr/libexec/bluetooth/bluetoothd", "usr/bin/btvirt", "usr/bin/btmon", "usr/bin/bluetoothctl",
	"sbin/wpa_supplicant", "sbin/wpa_cli", "usr/sbin/hostapd", "sbin/iw", "bin/ip", "bin/busybox",
}

// radioFiles are what these programs read.
var radioFiles = []string{
	"usr/share/dbus-1/system.conf",
	"etc/dbus-1/system.d/bluetooth.conf",
	"etc/dbus-1/system.d/wpa_supplicant.conf",
}

// radioModules are the drivers of two or more emulated radios, and what they ask the kernel
// for by name, which no dependency tells: ciphers of WPA2 and WPA3, and bluetoothd's.
var radioModules = []string{
	"ctr", "sha512_generic", "drbg", // of which the keys of a controller are made
	"hci_uart", "algif_hash", "algif_skcipher", "ecb",
	"mac80211_hwsim radios=3", "ccm", "gcm", "cmac",
}

// radioPasswd names the users of the system bus and of camd.
const radioPasswd = "root:x:0:0::/root:/bin/sh\nmessagebus:x:101:101::/:/bin/false\ncamd:x:900:900::/var/lib/camd:/bin/false\n"

// air is a guest with radios. Its peers in the air are in the guest too: a second controller
// of Bluetooth, hci1, and access points in a network namespace of the guest, which alone
// has the way to the host. So the guest itself has no network but what it joins.
type air struct {
	*Guest
	t      *testing.T
	boot   func()
	points int // access points that were switched on
}

// wireless gives a household whose camera is in a guest with radios, and does not run yet.
// config is camd.toml. Its state is on the first of the disks, if there are any.
func wireless(t *testing.T, config string, disks []Disk, modules ...string) (*household, *air) {
	t.Helper()
	h := newHousehold(t)
	a := onAir(t, h.net, h.files(ARM64, config), disks, modules...)
	h.Guest = a.Guest
	if len(disks) > 0 {
		must(t, h.Mount(patient(t), firstDisk, statePath))
	}
	return h, a
}

// onAir boots a guest with radios and a system bus. In it eth0 belongs to the access points.
func onAir(t *testing.T, n *Namespace, files Archive, disks []Disk, modules ...string) *air {
	t.Helper()
	need(t, "ip")
	all := radioArchive(t, ARM64)
	all.Add("bin/radio", 0o755, read(t, program(t, ARM64, "./radio")))
	for name, f := range files {
		all.Add(name, f.Mode, f.Data)
	}
	a := &air{t: t}
	a.boot = func() { a.Guest = boot(t, ARM64, n, all, disks, append(radioModules, modules...)...) }
	var err error
	n.Do(func() {
		var out []byte
		if out, err = exec.Command("ip", "route", "add", "10.20.0.0/16", "via", GuestAddress.Addr().String()).CombinedOutput(); err != nil {
			err = fmt.Errorf("ip route: %w: %s", err, out)
		}
	})
	must(t, err)
	a.up()
	return a
}

// up switches the guest on.
func (a *air) up() {
	a.t.Helper()
	a.boot()
	a.points = 0
	a.must("/bin/sh", "/etc/lab/network")
	must(a.t, a.Start(patient(a.t), "dbus", "/usr/bin/dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"))
	a.appears("/run/dbus/system_bus_socket")
}

// powerCycle cuts the guest's power and switches it on again. What is on its disks is left,
// and nothing else: no radio is on, and no access point.
func (a *air) powerCycle() {
	a.t.Helper()
	a.Kill()
	a.up()
}

// radioArchive has Debian's programs, their files, and the lab's own scripts.
func radioArchive(t *testing.T, a Arch) Archive {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	packages, err := RadioPackages.Fetch(t.Context(), cache(), a)
	if errors.Is(err, ErrNoKernel) {
		t.Skip(err)
	}
	must(t, err)
	files := Archive{}
	must(t, files.AddPrograms(packages, radioPrograms...))
	for _, name := range radioFiles {
		files.Add(name, 0o644, read(t, packages+"/"+name))
	}
	files.Add("etc/passwd", 0o644, []byte(radioPasswd))
	files.Add("etc/group", 0o644, []byte("root:x:0:\nmessagebus:x:101:\nnetdev:x:102:\nbluetooth:x:103:\ncamd:x:900:\n"))
	for _, name := range strings.Fields("sh cat echo kill mkdir ping sleep udhcpc udhcpd") {
		files.Link("bin/"+name, "busybox")
	}
	files.Link("var/run", "/run")
	for _, d := range []string{"run/dbus", "var/lib/bluetooth"} {
		files.Folder(d)
	}
	files.Add("etc/lab/network", 0o755, []byte(networkScript))
	files.Add("etc/lab/lease", 0o755, []byte(leaseScript))
	files.Add("etc/lab/dhcp", 0o755, []byte(dhcpScript))
	return files
}

// networkScript gives the access points a namespace with the way to the host.
var networkScript = `set -e
mkdir -p /run/dbus /run/wpa_supplicant
ip=/bin/ip
$ip netns add air
$ip link set eth0 netns air
$ip -n air link set lo up
$ip -n air address add ` + GuestAddress.String() + ` dev eth0
$ip -n air link set eth0 up
$ip netns exec air /bin/sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
`

// dhcpScript asks for an address whenever its interface has a carrier, as systemd-networkd
// does in an image.
const dhcpScript = `card=$1
while :; do
	while [ "$(cat /sys/class/net/$card/carrier 2>/dev/null)" != 1 ]; do sleep 0.1; done
	udhcpc -i $card -f -t 1000 -T 1 -s /etc/lab/lease &
	while [ "$(cat /sys/class/net/$card/carrier 2>/dev/null)" = 1 ]; do sleep 0.1; done
	kill $!
	/bin/ip address flush dev $card
done
`

// leaseScript sets up what udhcpc was given.
const leaseScript = `case $1 in
bound|renew)
	/bin/ip address replace $ip/$mask dev $interface
	/bin/ip route replace default via $router dev $interface
	echo "$interface has $ip"
	;;
deconfig)
	/bin/ip address flush dev $interface
	;;
esac
`

// must runs a command in the guest that has to succeed.
func (a *air) must(args ...string) string {
	a.t.Helper()
	r, err := a.Run(patient(a.t), args...)
	must(a.t, err)
	if r.Exit != 0 {
		a.t.Fatalf("%s in the guest: exit %d\n%s%s", strings.Join(args, " "), r.Exit, r.Stdout, r.Stderr)
	}
	return string(r.Stdout)
}

// appears waits until a file of the guest is there.
func (a *air) appears(path string) {
	a.t.Helper()
	eventually(a.t, path+" is there", func() bool {
		found, err := a.Glob(patient(a.t), path)
		must(a.t, err)
		return len(found) == 1
	})
}

// says waits until a started process says something, and gives the line.
func (a *air) says(name, what string) string {
	a.t.Helper()
	line, ok := a.said(name, what)
	if !ok {
		a.t.Fatalf("%s ended without saying %q", name, what)
	}
	return line
}

// said is says for a process that may end before.
func (a *air) said(name, what string) (line string, ok bool) {
	a.t.Helper()
	for from := 0; ; {
		said := a.Said(name)
		for ; from < len(said); from++ {
			if strings.Contains(said[from], what) {
				return said[from], true
			}
		}
		o, err := a.listen(patient(a.t), name)
		must(a.t, err)
		if o.Ended && len(o.Lines) == 0 {
			return "", false
		}
	}
}

// mainConf is how bluetoothd is set up.
const mainConf = `[General]
Name = lab
Pairable = false
ReverseServiceDiscovery = false
ControllerMode = le
Privacy = device

[GATT]
Cache = no

[Policy]
AutoEnable = true
`

// bluetooth switches on two controllers, hci0 and hci1, and bluetoothd.
func (a *air) bluetooth() {
	a.t.Helper()
	must(a.t, a.Start(patient(a.t), "btvirt", "/usr/bin/btvirt", "-s"))
	a.appears(emulated)
	a.plugController(0)
	a.plugController(1)
	must(a.t, a.Put(patient(a.t), "/etc/bluetooth/main.conf", 0o644, []byte(mainConf)))
	a.startBluetoothd()
}

// emulated is where btvirt gives out controllers that know Bluetooth LE only.
const emulated = "/tmp/bt-server-le"

// plugController makes hci0 or hci1. It goes when the process controller-0 or -1 ends. btvirt
// then tells nobody: a connection of the other controller to it stays, and so there must be none.
func (a *air) plugController(n int) {
	a.t.Helper()
	must(a.t, a.Start(patient(a.t), fmt.Sprintf("controller-%d", n), "/bin/radio", "attach", emulated))
	a.appears(fmt.Sprintf("/sys/class/bluetooth/hci%d", n))
}

// startBluetoothd starts bluetoothd, which may be ended as the process of that name.
func (a *air) startBluetoothd() {
	a.t.Helper()
	must(a.t, a.Start(patient(a.t), "bluetoothd", "/usr/libexec/bluetooth/bluetoothd", "-n"))
	a.must("/bin/radio", "await", "org.bluez")
}

// wifi switches on wpa_supplicant for wlan0, as the image does, to be driven over the system
// bus, and what asks for an address there.
func (a *air) wifi() {
	a.t.Helper()
	must(a.t, a.Start(patient(a.t), "wpa_supplicant", "/sbin/wpa_supplicant", "-u", "-i", "wlan0", "-C", "/run/wpa_supplicant"))
	a.must("/bin/radio", "await", "fi.w1.wpa_supplicant1")
	must(a.t, a.Start(patient(a.t), "dhcp", "/bin/sh", "/etc/lab/dhcp", "wlan0"))
}

// security is how an access point lets stations in.
type security string

const (
	unprotected security = ""
	wpa2        security = "wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\n"
	transition  security = "wpa=2\nwpa_key_mgmt=WPA-PSK SAE\nrsn_pairwise=CCMP\nieee80211w=1\nsae_require_mfp=1\n"
	wpa3        security = "wpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\n"
)

// accessPoint is one that is on the air, with a network behind it that leads to the host.
type accessPoint struct {
	*air
	SSID, Password string
	Security       security
	Extra          string // more lines of hostapd.conf

	number int // of its radio
}

// on switches an access point on; up to two may be at once. Its address is
// 10.20.NUMBER.1.
func (a *air) on(p accessPoint) *accessPoint {
	a.t.Helper()
	a.points++
	p.air, p.number = a, a.points
	ctx := patient(a.t)
	a.must("/sbin/iw", "phy", fmt.Sprintf("phy%d", p.number), "set", "netns", "name", "air")
	a.inAir("/bin/ip", "address", "add", p.Address()+"/24", "dev", p.card())
	must(a.t, a.Put(ctx, p.path("udhcpd"), 0o600, []byte(fmt.Sprintf(
		"start 10.20.%[1]d.10\nend 10.20.%[1]d.99\ninterface %[2]s\nlease_file /run/%[2]s.leases\nopt subnet 255.255.255.0\nopt router %[3]s\n",
		p.number, p.card(), p.Address()))))
	must(a.t, a.Put(ctx, "/run/"+p.card()+".leases", 0o600, nil))
	p.again()
	p.addresses(true)
	return &p
}

// inAir runs a command where the access points are.
func (a *air) inAir(args ...string) string {
	a.t.Helper()
	return a.must(append([]string{"/bin/ip", "netns", "exec", "air"}, args...)...)
}

// Address is the access point's in the network behind it.
func (p *accessPoint) Address() string { return fmt.Sprintf("10.20.%d.1", p.number) }

func (p *accessPoint) card() string { return fmt.Sprintf("wlan%d", p.number) }

func (p *accessPoint) path(program string) string {
	return fmt.Sprintf("/etc/lab/%s-%s.conf", program, p.card())
}

func (p *accessPoint) hostapd() string { return "hostapd-" + p.card() }

// configuration is hostapd's.
func (p *accessPoint) configuration() []byte {
	text := fmt.Sprintf("interface=%s\ndriver=nl80211\nssid=%s\nhw_mode=g\nchannel=%d\n%s%s", p.card(), p.SSID, 1+5*(p.number-1), p.Security, p.Extra)
	if p.Security != unprotected {
		text += "wpa_passphrase=" + p.Password + "\n"
	}
	return []byte(text)
}

// again switches the access point on anew, with what its fields say by now.
func (p *accessPoint) again() {
	p.t.Helper()
	must(p.t, p.Put(patient(p.t), p.path("hostapd"), 0o600, p.configuration()))
	must(p.t, p.Start(patient(p.t), p.hostapd(), "/bin/ip", "netns", "exec", "air", "/usr/sbin/hostapd", p.path("hostapd")))
	p.says(p.hostapd(), "AP-ENABLED")
}

// addresses has somebody answer who asks for an address behind the access point, or nobody.
func (p *accessPoint) addresses(on bool) {
	p.t.Helper()
	server := "udhcpd-" + p.card()
	if on {
		must(p.t, p.Start(patient(p.t), server, "/bin/ip", "netns", "exec", "air", "/bin/udhcpd", "-f", p.path("udhcpd")))
		return
	}
	p.kill(server, syscall.SIGKILL)
}

// off has the access point say goodbye to its stations and end.
func (p *accessPoint) off() {
	p.t.Helper()
	p.kill(p.hostapd(), syscall.SIGTERM)
}

// vanish ends the access point as a cut of its power does: nobody is told.
func (p *accessPoint) vanish() {
	p.t.Helper()
	p.inAir("/bin/ip", "link", "set", p.card(), "down")
	p.kill(p.hostapd(), syscall.SIGKILL)
}

// kill ends a started process and waits until it has ended.
func (a *air) kill(name string, s syscall.Signal) {
	a.t.Helper()
	must(a.t, a.Signal(patient(a.t), name, s))
	_, err := a.Ended(patient(a.t), name)
	must(a.t, err)
}

// internet cuts the way from the access points to the host, or mends it.
func (a *air) internet(on bool) {
	a.t.Helper()
	state := map[bool]string{true: "up", false: "down"}[on]
	a.inAir("/bin/ip", "link", "set", "eth0", state)
}

// besides advertises something else by the camera's controller. btvirt's controllers tell of
// an advertisement when it begins, and not again; beside another one the kernel takes turns,
// so that each begins every few seconds.
func (a *air) besides(name string) {
	a.t.Helper()
	must(a.t, a.Start(patient(a.t), name, "/bin/radio", "advertise", "hci0", "995c0000-0000-4000-8000-00000000001b"))
	a.says(name, "advertised")
}
