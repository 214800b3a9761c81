package proto

import (
	"net/netip"
	"strings"
	"testing"
)

func networks(l ...string) (n Networks) {
	for _, s := range l {
		n = append(n, netip.MustParsePrefix(s))
	}
	return n
}

func TestMayBePeer(t *testing.T) {
	home := networks("127.0.0.1/8", "192.168.1.7/24", "10.3.0.1/22", "172.16.0.1/31", "::1/128", "fd00::7/64", "fe80::1/64")
	for address, want := range map[string]bool{
		"192.168.1.9": true, "10.0.0.1": true, "172.16.0.1": true, "100.64.0.1": true, "203.0.113.4": true, "8.8.8.8": true,
		"192.168.1.7": true, // its own: both may be on one machine
		"127.0.0.1":   false, "127.255.255.254": false, "::1": false,
		"169.254.1.1": false, "169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false,
		"224.0.0.1": false, "239.255.255.250": false, "ff02::1": false, "ff0e::1": false,
		"240.0.0.1": false, "255.255.255.255": false, "254.1.1.1": false,
		"192.168.1.255": false, "10.3.3.255": false, "192.168.1.0": false, "10.3.0.0": false, // the home's own broadcasts
		"192.168.2.255": true, "10.3.0.255": true, "10.3.1.0": true, // hosts elsewhere, and in the wider network
		"fd00::9": true, "2001:db8::1": true, "2606:4700::1111": true, "fec0::1": false,
		"::ffff:192.168.1.9": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "::192.168.1.9": false,
		"64:ff9b::8.8.8.8": true, "64:ff9b::127.0.0.1": false, "64:ff9b::169.254.169.254": false,
		"2002:808:808::1": true, "2002:7f00:1::1": false, "2002:e000:1::1": false,
	} {
		if got := home.MayBePeer(netip.MustParseAddr(address)); got != want {
			t.Errorf("MayBePeer(%s) = %v, want %v", address, got, want)
		}
	}
	if home.MayBePeer(netip.Addr{}) {
		t.Error("no address is a peer's")
	}
}

func TestLoopbackIsAPeersWhereThereIsNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		own  Networks
		want bool
	}{
		"nothing known":       {nil, false},
		"loopback alone":      {networks("127.0.0.1/8", "::1/128"), true},
		"with link-local":     {networks("127.0.0.1/8", "169.254.3.4/16", "fe80::1/64"), true},
		"with a home network": {networks("127.0.0.1/8", "192.168.1.7/24"), false},
		"with IPv6 alone":     {networks("127.0.0.1/8", "fd00::7/64"), false},
	} {
		for _, a := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
			if got := c.own.MayBePeer(netip.MustParseAddr(a)); got != c.want {
				t.Errorf("%s: MayBePeer(%s) = %v, want %v", name, a, got, c.want)
			}
		}
	}
	if networks("127.0.0.1/8").MayBePeer(netip.MustParseAddr("::ffff:127.0.0.1")) {
		t.Error("a mapped address is a peer's")
	}
	if len(OwnNetworks()) == 0 {
		t.Error("this machine has no network, not even loopback")
	}
}

func TestIsICE(t *testing.T) {
	for s, want := range map[string]bool{
		"EOhS": true, "a+/9": true, "abc": false, "": false, "ab c": false, "ab-c": false, "abc=": false, "abcé": false,
		"abc\x00": false, "abc\n": false, "ab:c": false, strings.Repeat("a", 256): true, strings.Repeat("a", 257): false,
	} {
		if got := IsICE(s, LeastUfrag); got != want {
			t.Errorf("IsICE(%q) = %v, want %v", s, got, want)
		}
	}
	if IsICE(strings.Repeat("a", 21), LeastPassword) || !IsICE(strings.Repeat("a", 22), LeastPassword) {
		t.Error("a password has 22 characters at least")
	}
}

func FuzzMayBePeer(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::ffff:7f00:1", "64:ff9b::e000:1", "192.168.1.255"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	own := networks("192.168.1.7/24")
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !own.MayBePeer(a) {
			return
		}
		v4 := a.Unmap()
		if !ok || a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.Is4In6() ||
			v4.Is4() && (v4.As4()[0] == 0 || v4.As4()[0] >= 224 || v4.As4() == [4]byte{192, 168, 1, 255}) {
			t.Errorf("%v may be a peer", a)
		}
	})
}
