package lab

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"
)

// States of TCP sockets (include/net/tcp_states.h), in /proc/net/tcp's hexadecimal.
const (
	tcpEstablished = "01"
	tcpTimeWait    = "06"
)

// acceptsConnections is __SO_ACCEPTCON in the flags of /proc/net/unix.
const acceptsConnections = 0x10000

// idleSockets fails for every socket of the guest that listens or is bound, but
// for camd's local one, and for TCP connections to anything but the broker. Only
// camd and the lab's first process, which has no sockets, run in the guest.
func (h *household) idleSockets(when string) {
	h.t.Helper()
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6", "packet"} {
		for _, w := range h.table(kind) {
			outbound := strings.HasPrefix(kind, "tcp") && (w[3] == tcpEstablished || w[3] == tcpTimeWait)
			if !outbound || parseAddress(h.t, w[2]).String() != brokerAddress() {
				h.t.Errorf("%s the guest holds a %s socket: %q", when, kind, w)
			}
		}
	}
	listening := 0
	for _, w := range h.table("unix") {
		flags, err := strconv.ParseUint(w[3], 16, 32)
		must(h.t, err)
		if flags&acceptsConnections == 0 {
			continue
		}
		// The kernel shows the name under which the socket was born, in a folder
		// of its own beside the name that it was given then.
		name := w[len(w)-1]
		if listening++; listening > 1 || !strings.HasPrefix(name, path.Dir(socketPath)+"/") {
			h.t.Errorf("%s the guest listens on %q", when, w)
		}
	}
	if listening != 1 {
		h.t.Errorf("%s %d Unix sockets listen, want camd's", when, listening)
	}
}

// table reads one of the kernel's tables of sockets, without its heading.
func (h *household) table(kind string) (rows [][]string) {
	h.t.Helper()
	names, err := h.Glob(patient(h.t), "/proc/net/"+kind)
	must(h.t, err)
	if len(names) == 0 {
		return nil // this kernel has no such sockets, or none were ever made
	}
	text, err := h.Get(patient(h.t), names[0])
	must(h.t, err)
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if i > 0 {
			rows = append(rows, strings.Fields(line))
		}
	}
	return rows
}

// parseAddress reads "0100090A:22B3": 32-bit words in the guest's byte order, which
// is little-endian.
func parseAddress(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	must(t, err)
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	ip, _ := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	must(t, err)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n))
}
