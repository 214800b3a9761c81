// Package rig sets up a whole household on this machine for tests: a PKI, the
// embedded broker with mutual TLS, camd as a process of its own, and clients that
// paired by the real handshake. It ends, with everything it started, with the test.
package rig

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const module = "github.com/camd-project/camd"

// Patience bounds every wait. It is far above what anything takes.
const Patience = 60 * time.Second

// Rig is one camera with its broker.
type Rig struct {
	TB     testing.TB
	Dir    string
	Socket string
	Device proto.DeviceID
	Label  pairing.Label
	CA     *pki.CA
	PKI    string // the folder of CA
	Broker Broker
	Stderr *os.File // camd's, instead of what Log returns; nil: none
	Under  []string // a command before camd's, which becomes it

	start   StartBroker
	address string
	program string
	config  string

	mu   sync.Mutex
	camd *exec.Cmd
	done chan error
	log  *buffer
}

// Broker is the rig's MQTT broker.
type Broker interface {
	Address() string // host:port
	Close() error
}

// StartBroker starts a broker for what ca certifies, at an address of loopback; that
// has the port 0 for the first start.
type StartBroker func(ca *pki.CA, address string) (Broker, error)

// flags are those of the release, scripts/release.sh: tests run the kind of program that
// is shipped. Without -trimpath, which only shortens names of files, the packages that
// are compiled for the test itself serve it, too.
var flags = []string{"-tags", "netgo,osusergo,nomicrophone",
	"-ldflags", "-s -w -linkmode external -extldflags -static"}

var programs struct {
	sync.Mutex
	paths map[string]string // by command
}

// Program builds camd once for all tests of a package and returns its path.
func Program(tb testing.TB) string {
	tb.Helper()
	return Build(tb, "camd")
}

// Build builds one of camd's commands once for all tests of a package and returns its
// path. It lies beside the test's own program, in a folder that go test removes however
// the test ends.
func Build(tb testing.TB, command string) string {
	tb.Helper()
	programs.Lock()
	defer programs.Unlock()
	if path, ok := programs.paths[command]; ok {
		return path
	}
	own, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(own), command)
	args := append([]string{"build", "-o", path}, append(flags, module+"/cmd/"+command)...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", command, err, out)
	}
	if programs.paths == nil {
		programs.paths = map[string]string{}
	}
	programs.paths[command] = path
	return path
}

// New makes the PKI, starts the broker and makes the device's identity. tables is
// TOML that is added to the configuration, such as "[capture]\nsource = …"; lines before
// the first table go into that of the device.
func New(tb testing.TB, tables string) *Rig {
	tb.Helper()
	return NewWith(tb, tables, honest)
}

// honest starts the broker that lets everyone do only what is theirs.
func honest(ca *pki.CA, address string) (Broker, error) {
	cert, err := ca.Server("127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	return broker.Start(broker.Config{Address: address,
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS13}})
}

// shortDir is a folder for a socket, whose path has at most 107 bytes; a test's own
// folder holds the test's name.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// NewWith is New with a broker of the caller's.
func NewWith(tb testing.TB, tables string, start StartBroker) *Rig {
	tb.Helper()
	r := newRig(tb, start)
	ca, err := pki.WriteCA(r.Dir, "broker", r.CA)
	if err != nil {
		tb.Fatal(err)
	}
	r.configure(fmt.Sprintf("[link]\nbroker = %q\nca = %q\n", r.URL(), ca), tables)
	r.factory(tables)
	r.sign()
	return r
}

// NewBare is New for a camera out of its box, which knows no broker and has no
// certificate for one.
func NewBare(tb testing.TB, tables string) *Rig {
	tb.Helper()
	r := newRig(tb, honest)
	r.configure("", tables)
	r.factory(tables)
	return r
}

func newRig(tb testing.TB, start StartBroker) *Rig {
	tb.Helper()
	r := &Rig{TB: tb, Dir: tb.TempDir(), program: Program(tb), start: start}
	r.Socket = filepath.Join(shortDir(tb), "camd.sock")
	r.config = filepath.Join(r.Dir, "camd.toml")
	r.PKI = filepath.Join(r.Dir, "pki")
	folder, err := pki.Create(r.PKI, "rig")
	if err != nil {
		tb.Fatal(err)
	}
	r.CA = folder.CA
	r.StartBroker()
	tb.Cleanup(func() { r.StopBroker() })
	return r
}

func (r *Rig) configure(link, tables string) {
	r.TB.Helper()
	device, _, _ := strings.Cut(tables, "[")
	if !strings.Contains(tables, "[setup]") {
		tables += "[setup]\nble = \"off\"\n" // nothing goes on air by this machine's own adapter
	}
	text := fmt.Sprintf("[device]\nname = \"nursery\"\nstate = %q\nsocket = %q\n%s\n%s%s", r.State(), r.Socket, device, link, tables[len(device):])
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.TB.Fatal(err)
	}
}

// URL is the broker's address.
func (r *Rig) URL() string { return "mqtts://" + r.address }

// State is the device's state folder.
func (r *Rig) State() string { return filepath.Join(r.Dir, "state") }

// StartBroker starts the broker, at the address it had before if there was one.
func (r *Rig) StartBroker() {
	r.TB.Helper()
	address := r.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	var err error
	if r.Broker, err = r.start(r.CA, address); err != nil {
		r.TB.Fatal(err)
	}
	r.address = r.Broker.Address()
}

// StopBroker stops it.
func (r *Rig) StopBroker() {
	if err := r.Broker.Close(); err != nil {
		r.TB.Errorf("close broker: %v", err)
	}
}

// Run runs another camd command with the rig's configuration.
func (r *Rig) Run(args ...string) ([]byte, error) {
	return exec.Command(r.program, append(args, "--config", r.config)...).CombinedOutput()
}

func (r *Rig) factory(tables string) {
	r.TB.Helper()
	tpm := "off" // of this machine's
	if device, _, _ := strings.Cut(tables, "["); strings.Contains(device, "tpm = ") {
		tpm = "require"
	}
	out, err := r.Run("factory", "init", "--tpm", tpm, "--json")
	if err != nil {
		r.TB.Fatalf("camd factory init: %v\n%s", err, out)
	}
	var made struct {
		Device proto.DeviceID
		Label  string
	}
	if err := json.Unmarshal(out, &made); err != nil {
		r.TB.Fatalf("camd factory init printed %q: %v", out, err)
	}
	r.Device = made.Device
	if r.Label, err = pairing.ParseLabel(made.Label); err != nil {
		r.TB.Fatal(err)
	}
}

// sign plays the operator: it signs the request that factory init left.
func (r *Rig) sign() {
	r.TB.Helper()
	dir := filepath.Join(r.State(), "identity")
	text, err := os.ReadFile(filepath.Join(dir, "device.csr"))
	if err != nil {
		r.TB.Fatal(err)
	}
	_, crt, err := r.CA.CertifyRequest(text)
	if err != nil {
		r.TB.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "operational.crt"), crt, 0o600); err != nil {
		r.TB.Fatal(err)
	}
}

// Start runs camd until Stop or the end of the test, and waits until its local
// socket answers.
func (r *Rig) Start() {
	r.TB.Helper()
	args := append(slices.Clone(r.Under), r.program, "run", "--config", r.config)
	cmd := exec.Command(args[0], args[1:]...)
	r.log = &buffer{}
	cmd.Stderr = r.log
	if r.Stderr != nil {
		cmd.Stderr = r.Stderr
	}
	if err := cmd.Start(); err != nil {
		r.TB.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		ended(cmd.Process)
		done <- cmd.Wait()
	}()
	r.mu.Lock()
	r.camd, r.done = cmd, done
	r.mu.Unlock()
	r.TB.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
		}
		if r.TB.Failed() {
			r.TB.Logf("camd's log:\n%s", r.log)
		}
	})
	r.Until("camd answers on its socket", func() bool { _, err := r.Status(); return err == nil })
}

// Online waits until camd is connected to the broker.
func (r *Rig) Online() {
	r.TB.Helper()
	r.Until("camd is online", func() bool { return r.Condition("broker").State == "ok" })
}

// PID is the running camd's.
func (r *Rig) PID() int { return r.camd.Process.Pid }

// Log is what camd has logged since Start.
func (r *Rig) Log() string { return r.log.String() }

// Signal sends a signal to camd and waits for its end.
func (r *Rig) Signal(s syscall.Signal) error {
	r.TB.Helper()
	if err := r.camd.Process.Signal(s); err != nil {
		r.TB.Fatal(err)
	}
	return r.Wait()
}

// Wait waits for camd's end and returns how it ended.
func (r *Rig) Wait() error {
	r.TB.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(Patience):
		r.TB.Fatalf("camd did not end; its log:\n%s", r.log)
		return nil
	}
}

// Status asks camd on its local socket.
func (r *Rig) Status() (proto.StatusAnswer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	line, err := client.Ask(ctx, r.Socket, map[string]string{"cmd": "status"})
	if err != nil {
		return proto.StatusAnswer{}, err
	}
	var a struct{ Status proto.StatusAnswer }
	return a.Status, json.Unmarshal(line, &a)
}

// Condition is one part's health, empty while camd does not answer.
func (r *Rig) Condition(name string) proto.Condition {
	s, _ := r.Status()
	for _, c := range s.Conditions {
		if c.Name == name {
			return c
		}
	}
	return proto.Condition{}
}

// OpenWindow opens the pairing window.
func (r *Rig) OpenWindow(name string) {
	r.TB.Helper()
	if err := client.OpenWindow(context.Background(), r.Socket, 5*time.Minute, name); err != nil {
		r.TB.Fatal(err)
	}
}

// Join pairs keys with label on the local socket.
func (r *Rig) Join(keys *home.Keys, label pairing.Label) (home.Record, error) {
	r.TB.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	conn, err := client.Join(ctx, r.Socket)
	if err != nil {
		return home.Record{}, err
	}
	defer conn.Close()
	return client.Pair(ctx, conn, label, keys, r.Login(keys), nil)
}

// Login is what the operator gives a viewer for the broker.
func (r *Rig) Login(keys *home.Keys) home.Broker { return r.LoginOf(keys.ID()) }

// LoginOf is Login for whom only the name is known.
func (r *Rig) LoginOf(who proto.ClientID) home.Broker {
	r.TB.Helper()
	cert, err := r.CA.Viewer(who)
	if err != nil {
		r.TB.Fatal(err)
	}
	key, err := pki.KeyPEM(cert)
	if err != nil {
		r.TB.Fatal(err)
	}
	return home.Broker{Certificate: string(pki.CertificatePEM(cert)), Key: string(key)}
}

// Owner pairs a new owner and connects it.
func (r *Rig) Owner() *client.Camera {
	r.TB.Helper()
	keys, err := home.NewKeys()
	if err != nil {
		r.TB.Fatal(err)
	}
	r.OpenWindow("Anna")
	record, err := r.Join(keys, r.Label)
	if err != nil {
		r.TB.Fatal(err)
	}
	return r.Dial(keys, record)
}

// Dial connects a client that has paired.
func (r *Rig) Dial(keys *home.Keys, record home.Record) *client.Camera {
	r.TB.Helper()
	h, err := home.Open(r.TB.TempDir())
	if err != nil {
		r.TB.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c, err := client.Dial(ctx, h, keys, record, slog.New(slog.DiscardHandler))
	if err != nil {
		r.TB.Fatal(err)
	}
	r.TB.Cleanup(c.Close)
	return c
}

// Until waits for a condition that another process brings about.
func (r *Rig) Until(what string, ok func() bool) {
	r.TB.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
		select {
		case err := <-r.done:
			r.done <- err
			r.TB.Fatalf("while waiting until %s: camd ended: %v\n%s", what, err, r.log)
		default:
		}
	}
	r.TB.Fatalf("waited in vain until %s; camd's log:\n%s", what, r.log)
}

// buffer is a bytes.Buffer that a process's output may fill while a test reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
