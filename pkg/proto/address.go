package proto

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Networks are those that a machine has addresses in, with the addresses.
type Networks []netip.Prefix

// OwnNetworks reads this machine's. An error leaves them empty, which allows the least.
func OwnNetworks() (l Networks) {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			l = append(l, p)
		}
	}
	return l
}

// OnlyLoopback reports whether the machine has no other network: then, and only then,
// the other side of a session can be on loopback.
func (n Networks) OnlyLoopback() bool {
	return len(n) > 0 && !slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Addr().IsGlobalUnicast() })
}

// Hold reports whether an address is in one of the networks.
func (n Networks) Hold(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Ranges that netip has no word for.
var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")    // RFC 1122 section 3.2.1.3
	reserved    = netip.MustParsePrefix("240.0.0.0/4")  // RFC 1112 section 4, and the broadcast
	compatible  = netip.MustParsePrefix("::/96")        // RFC 4291 section 2.5.5.1, deprecated
	siteLocal   = netip.MustParsePrefix("fec0::/10")    // RFC 3879, deprecated
	translated  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the IPv4 address is in the last four bytes
	sixToFour   = netip.MustParsePrefix("2002::/16")    // RFC 3056: it is in bytes 2 to 5
)

// MayBePeer reports whether media, and the checks before it, may go to an address that
// the other side of a session names or sends from (docs/protocol.md 7.3). Not among
// them are addresses by which it would reach what only this machine reaches, or many at
// once. What other home networks use (RFC 1918, RFC 4193) is, since viewers are there;
// so are documentation's and benchmarks', which no one routes.
func (n Networks) MayBePeer(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	switch b := a.As16(); {
	case a.IsLoopback() && !a.Is4In6():
		return n.OnlyLoopback()
	case !a.IsGlobalUnicast(): // unspecified, multicast, link-local
		return false
	case a.Is4():
		return !thisNetwork.Contains(a) && !reserved.Contains(a) && !slices.ContainsFunc(n, func(p netip.Prefix) bool { return reachesAll(p, a) })
	case a.Is4In6(), compatible.Contains(a), siteLocal.Contains(a): // RFC 8445 section 5.1.1.1
		return false
	case translated.Contains(a):
		return Networks(nil).MayBePeer(netip.AddrFrom4([4]byte(b[12:])))
	case sixToFour.Contains(a):
		return Networks(nil).MayBePeer(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return true
}

// reachesAll reports whether a is an address of all in an IPv4 network: the last one, and
// the first, which Linux before 5.14 and others take for it too (RFC 1122 section 3.3.6).
func reachesAll(p netip.Prefix, a netip.Addr) bool {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return false
	}
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return a == netip.AddrFrom4(b) || a == p.Masked().Addr()
}

// Lengths of ICE's credentials (RFC 8839 section 5.4).
const (
	LeastUfrag    = 4
	LeastPassword = 22
	mostICE       = 256
)

// IsICE reports whether s is least to 256 of the characters that ICE's credentials are
// made of (RFC 8839 section 5.1).
func IsICE(s string, least int) bool {
	return len(s) >= least && len(s) <= mostICE && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '+' && r != '/'
	}) < 0
}
