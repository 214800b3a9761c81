package linktest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	mosquittoProgram = "/usr/sbin/mosquitto"
	mosquittoFolder  = "/etc/mosquitto/camd" // as the shipped configuration has it
)

// Mosquitto starts Debian's mosquitto with the configuration in docs, the folder
// docs/mosquitto of the repository. The test is skipped where it isn't installed.
func Mosquitto(tb testing.TB, docs string) *Server {
	tb.Helper()
	if _, err := os.Stat(mosquittoProgram); errors.Is(err, fs.ErrNotExist) {
		tb.Skip("mosquitto is not installed (Debian package mosquitto)")
	}
	s := &Server{CA: NewCA(tb, "mosquitto"), tb: tb}
	s.Devices, s.Viewers = freePorts(tb)
	m := &mosquitto{Server: s, docs: docs}
	s.start, s.allow = m.spawn, m.admit
	s.Start()
	return s
}

// mosquitto is one process after the other, with one configuration.
type mosquitto struct {
	*Server
	docs    string
	members string // lines of viewers.acl
	dir     string // of the running one
	process *os.Process
	out     *output
}

// admit adds to the rules and has the running mosquitto read them.
func (s *mosquitto) admit(id proto.ClientID, device proto.DeviceID) {
	s.tb.Helper()
	lines := pki.StatusRule(id, device)
	s.members += lines
	if s.stop == nil {
		return // the next one reads them
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "viewers.acl"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(lines)
		err = errors.Join(err, f.Close())
	}
	before := strings.Count(s.out.String(), reloading)
	if err = errors.Join(err, s.process.Signal(syscall.SIGHUP)); err != nil {
		s.tb.Fatal(err)
	}
	// It says so and then reads, before it looks at another packet.
	Until(s.tb, "mosquitto reads its rules again", func() bool { return strings.Count(s.out.String(), reloading) > before })
}

const reloading = "Reloading config"

// freePorts picks two addresses that nobody listens on now. They lie below the
// ports that the kernel gives to connections of other tests.
func freePorts(tb testing.TB) (a, b string) {
	tb.Helper()
	var held []net.Listener
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		if held = append(held, l); len(held) == 2 {
			return held[0].Addr().String(), held[1].Addr().String()
		}
	}
	tb.Fatal("no free ports for mosquitto")
	return "", ""
}

func (s *mosquitto) spawn(cert tls.Certificate) (stop func()) {
	s.tb.Helper()
	conf := s.configure(cert)
	out := &output{}
	p := exec.Command(mosquittoProgram, "-c", conf)
	p.Stdout, p.Stderr = out, out
	if err := p.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.process, s.out = p.Process, out
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Wait() }() // ends by a signal, so with an error
	stop = func() {
		_ = p.Process.Kill() // as a crash would: no wills, no goodbye
		<-ended
		if s.tb.Failed() {
			s.tb.Logf("mosquitto said:\n%s", out)
		}
	}
	for _, address := range []string{s.Devices, s.Viewers} {
		Until(s.tb, "mosquitto listens on "+address, func() bool {
			select {
			case <-ended:
				s.tb.Fatalf("mosquitto ended:\n%s", out)
			default:
			}
			c, err := net.Dial("tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
	if n := listening(s.tb, p.Process.Pid); n != 2 {
		s.tb.Errorf("mosquitto listens on %d sockets, want the devices' and the viewers' alone", n)
	}
	return stop
}

// listening counts the TCP sockets on which a process listens (proc(5)).
func listening(tb testing.TB, pid int) (n int) {
	tb.Helper()
	var tables []byte
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // no IPv6
			tb.Fatal(err)
		}
		tables = append(tables, b...)
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		inode, isSocket := strings.CutPrefix(target, "socket:[")
		if err != nil || !isSocket {
			continue
		}
		for line := range strings.Lines(string(tables)) {
			w := strings.Fields(line)
			if len(w) > 9 && w[3] == "0A" && w[9] == strings.TrimSuffix(inode, "]") { // 0A is TCP_LISTEN
				n++
			}
		}
	}
	return n
}

// configure copies the shipped configuration, changing no more than folders and
// addresses and adding the members' lines, and returns its path.
func (s *mosquitto) configure(cert tls.Certificate) string {
	s.tb.Helper()
	dir := s.tb.TempDir()
	s.dir = dir
	_, device, _ := strings.Cut(s.Devices, ":")
	_, viewer, _ := strings.Cut(s.Viewers, ":")
	edit := strings.NewReplacer(
		mosquittoFolder, dir,
		"listener 8883\n", "listener "+device+" 127.0.0.1\n",
		"listener 8884\n", "listener "+viewer+" 127.0.0.1\n",
	)
	for _, name := range []string{"mosquitto.conf", "devices.acl", "viewers.acl"} {
		data, err := os.ReadFile(filepath.Join(s.docs, name))
		if err != nil {
			s.tb.Fatal(err)
		}
		text := edit.Replace(string(data))
		switch name {
		case "viewers.acl":
			text += s.members
		case "mosquitto.conf":
			text += "log_type information\n" // tells when it reads its rules again
			if os.Geteuid() == 0 {
				text = "user root\n" + text // it would give up the right to read the test's folder
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	if _, _, err := pki.WritePair(dir, "server", cert); err != nil {
		s.tb.Fatal(err)
	}
	if _, err := pki.WriteCA(dir, "ca", s.CA); err != nil {
		s.tb.Fatal(err)
	}
	crl, err := s.CA.CRL(1, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "crl.pem"), crl, 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return filepath.Join(dir, "mosquitto.conf")
}

// output is a buffer that a process writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
