package rig

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Socket is one Internet socket of a process.
type Socket struct {
	Kind          string // tcp, tcp6, udp, udp6, raw …
	Local, Remote netip.AddrPort
	State         string // hexadecimal, include/net/tcp_states.h: 01 established, 0A listening
	Queued        uint64 // bytes that were written and are not acknowledged
}

func (s Socket) String() string {
	return fmt.Sprintf("%s %s > %s state %s", s.Kind, s.Local, s.Remote, s.State)
}

// Outbound tells of a TCP connection that the process itself opened: no bound or
// listening socket.
func (s Socket) Outbound() bool {
	return strings.HasPrefix(s.Kind, "tcp") && s.State != "0A" && s.Remote.Port() != 0
}

// Sockets lists the Internet sockets that a process holds.
func (r *Rig) Sockets() []Socket {
	r.TB.Helper()
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.PID()))
	if err != nil || len(fds) == 0 {
		r.TB.Fatalf("list descriptors of %d: %v, %d found", r.PID(), err, len(fds))
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:[") {
			inodes[strings.Trim(target, "socket:[]")] = true
		}
	}
	var l []Socket
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"} {
		l = append(l, r.table(kind, inodes)...)
	}
	return l
}

// table reads one of the kernel's socket tables (proc(5)).
func (r *Rig) table(kind string, inodes map[string]bool) (l []Socket) {
	r.TB.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", r.PID(), kind))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		r.TB.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the heading
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) > 9 && inodes[w[9]] {
			queued, _, _ := strings.Cut(w[4], ":")
			n, err := strconv.ParseUint(queued, 16, 64)
			if err != nil {
				r.TB.Fatalf("read queue %q: %v", w[4], err)
			}
			l = append(l, Socket{kind, r.address4(w[1]), r.address4(w[2]), w[3], n})
		}
	}
	return l
}

// address4 reads "0100007F:1F90": 32-bit words in the machine's byte order, which
// is little-endian on everything camd is built for.
func (r *Rig) address4(s string) netip.AddrPort {
	r.TB.Helper()
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		r.TB.Fatalf("read address %q: %v", s, err)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		r.TB.Fatalf("read address %q: %v", s, err)
	}
	ip, _ := netip.AddrFromSlice(net.IP(raw))
	return netip.AddrPortFrom(ip.Unmap(), uint16(n))
}

// OutboundOnly fails for every socket that is no outbound TCP connection, and returns
// how many of those there are.
func (r *Rig) OutboundOnly(when string) int {
	r.TB.Helper()
	sockets := r.Sockets()
	for _, s := range sockets {
		if !s.Outbound() {
			r.TB.Errorf("%s camd holds %v", when, s)
		}
	}
	return len(sockets)
}

// Count tells how many sockets are of a kind, tcp or udp.
func Count(sockets []Socket, kind string) (n int) {
	for _, s := range sockets {
		if strings.HasPrefix(s.Kind, kind) {
			n++
		}
	}
	return n
}
