package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

// Where things are in the guest.
const (
	configPath = "/etc/camd/camd.toml"
	statePath  = "/var/lib/camd"
	socketPath = "/run/camd/camd.sock"
	homePath   = "/root/anna"
	clipPath   = "/clip.h264"
	firstDisk  = "/dev/vda"
)

const brokerPort = 8883

// household is a guest in which the release camd runs, paired with an owner whose
// keys were handed out to the host.
type household struct {
	*Guest
	t     *testing.T
	net   *Namespace
	pki   *pki.Folder
	ca    *pki.CA // of that
	label string
	home  string // camctl's --home on the host; an owner's, once paired
}

// move boots a guest with camd, pairs, and takes the owner's home out of it.
// tables is TOML for [capture] and [audio].
func move(t *testing.T, a Arch, tables string, modules ...string) *household {
	t.Helper()
	h := settle(t, a, nil, tables, modules...)
	h.pair()
	return h
}

// settle is move without the pairing; camd's state is on the first of the disks, if
// there are any.
func settle(t *testing.T, a Arch, disks []Disk, tables string, modules ...string) *household {
	t.Helper()
	need(t, a.QEMU[0], "ffmpeg") // before anything slow begins
	h := newHousehold(t)
	h.Guest = boot(t, a, h.net, h.files(a, configuration(tables)), disks, modules...)
	if len(disks) > 0 {
		must(t, h.Mount(patient(t), firstDisk, statePath))
	}
	h.label = h.factory("off")
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	h.condition("broker", "ok")
	return h
}

// newHousehold gives a household with a network and a broker, and without a camera.
func newHousehold(t *testing.T) *household {
	t.Helper()
	folder, err := pki.Create(filepath.Join(t.TempDir(), "pki"), "lab")
	must(t, err)
	h := &household{t: t, net: namespace(t), pki: folder, ca: folder.CA, home: t.TempDir()}
	h.startBroker()
	return h
}

// files are those of a guest with camd.
func (h *household) files(a Arch, config string) Archive {
	h.t.Helper()
	return Archive{
		"bin/camd":        {0o755, read(h.t, release(h.t, "camd", a))},
		"bin/camctl":      {0o755, read(h.t, release(h.t, "camctl", a))},
		configPath[1:]:    {0o644, []byte(config)},
		"etc/camd/ca.pem": {0o644, h.ca.PEM()},
		clipPath[1:]:      {0o644, clip(h.t)},
	}
}

func configuration(tables string) string {
	return fmt.Sprintf("[device]\nname = \"lab\"\nstate = %q\nsocket = %q\n[link]\nbroker = %q\nca = \"/etc/camd/ca.pem\"\n%s",
		statePath, socketPath, "mqtts://"+brokerAddress(), tables)
}

func brokerAddress() string {
	return netip.AddrPortFrom(HostAddress.Addr(), brokerPort).String()
}

// release gives a release binary, made if there is none yet.
func release(t *testing.T, name string, a Arch) string {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	path := filepath.Join(root, "dist", name+"-"+a.Release)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	need(t, "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc")
	if out, err := exec.Command(filepath.Join(root, "scripts", "release.sh")).CombinedOutput(); err != nil {
		t.Fatalf("make the release binaries: %v\n%s", err, out)
	}
	return path
}

func (h *household) startBroker() {
	h.t.Helper()
	cert, err := h.ca.Server(HostAddress.Addr().String())
	must(h.t, err)
	var b *broker.Broker
	h.net.Do(func() {
		b, err = broker.Start(broker.Config{Address: brokerAddress(),
			TLS: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: h.ca.Pool(), MinVersion: tls.VersionTLS13}})
	})
	must(h.t, err)
	h.t.Cleanup(func() { must(h.t, b.Close()) })
}

// members returns how many there are.
func (h *household) members() int {
	h.t.Helper()
	var l []proto.Member
	must(h.t, json.Unmarshal(h.run("/bin/camd", "members", "--config", configPath, "--json"), &l))
	return len(l)
}

// run runs a command in the guest that must succeed, and gives what it printed.
func (h *household) run(args ...string) []byte {
	h.t.Helper()
	r, err := h.Run(patient(h.t), args...)
	must(h.t, err)
	if r.Exit != 0 {
		h.t.Fatalf("%s in the guest: exit %d\n%s%s", strings.Join(args, " "), r.Exit, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// factory makes the device's identity, in a TPM or not, signs its certificate for the broker, and
// gives the label.
func (h *household) factory(tpm string) (label string) {
	h.t.Helper()
	label = h.identity(tpm)
	text, err := h.Get(patient(h.t), statePath+"/identity/device.csr")
	must(h.t, err)
	_, crt, err := h.ca.CertifyRequest(text)
	must(h.t, err)
	must(h.t, h.Put(patient(h.t), statePath+"/identity/operational.crt", 0o600, crt))
	return label
}

// identity makes the device's identity, in a TPM or not, and returns the label.
func (h *household) identity(tpm string) (label string) {
	h.t.Helper()
	var made struct{ Label string }
	must(h.t, json.Unmarshal(h.run("/bin/camd", "factory", "init", "--tpm", tpm, "--config", configPath, "--json"), &made))
	return made.Label
}

// pair pairs Anna's camctl in the guest, at the local socket, and hands her home out.
func (h *household) pair() {
	h.t.Helper()
	h.pairAs("Anna", homePath)
	h.handOut()
}

// handOut gives the home of the owner who paired in the guest to the host.
func (h *household) handOut() {
	h.t.Helper()
	files, err := h.Tree(patient(h.t), homePath)
	must(h.t, err)
	for _, f := range files {
		path := filepath.Join(h.home, f.Path)
		must(h.t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(h.t, os.WriteFile(path, f.Data, f.Mode))
	}
}

// pairAs pairs a camctl with this home in the guest, whom the household calls name.
func (h *household) pairAs(name, home string) proto.ClientID {
	h.t.Helper()
	h.run("/bin/camd", "pair", "--config", configPath, "--window", "5m", "--name", name)
	return h.join(home)
}

// join pairs a camctl with this home in the guest while the pairing window is open.
func (h *household) join(home string) proto.ClientID {
	h.t.Helper()
	ctx := patient(h.t)
	var id struct{ Client proto.ClientID }
	must(h.t, json.Unmarshal(h.run("/bin/camctl", "--home", home, "--json", "id"), &id))
	cert, err := h.ca.Viewer(id.Client)
	must(h.t, err)
	key, err := pki.KeyPEM(cert)
	must(h.t, err)
	must(h.t, h.Put(ctx, home+".crt", 0o600, pki.CertificatePEM(cert)))
	must(h.t, h.Put(ctx, home+".key", 0o600, key))
	h.run("/bin/camctl", "--home", home, "pair", "--socket", socketPath, "--label", h.label,
		"--broker-cert", home+".crt", "--broker-key", home+".key")
	return id.Client
}

// invite lets someone far away in and gives the household as that member sees it.
// flags are camctl grant's.
func (h *household) invite(name string, flags ...string) *household {
	h.t.Helper()
	guest := *h
	guest.home = h.t.TempDir()
	var id struct {
		Client proto.ClientID
		Key    string
	}
	must(h.t, json.Unmarshal(guest.call("id"), &id))
	cert, err := h.ca.Viewer(id.Client)
	must(h.t, err)
	key, err := pki.KeyPEM(cert)
	must(h.t, err)
	path := filepath.Join(guest.home, "broker")
	must(h.t, os.WriteFile(path+".crt", pki.CertificatePEM(cert), 0o600))
	must(h.t, os.WriteFile(path+".key", key, 0o600))
	h.call(append([]string{"grant", "--to", id.Key, "--name", name, "--card", path + ".card", "--yes",
		"--broker-cert", path + ".crt", "--broker-key", path + ".key"}, flags...)...)
	guest.call("add", "--yes", path+".card")
	return &guest
}

// condition waits until camd itself, at its local socket, reports a part so. It
// gives the reason.
func (h *household) condition(part, state string) (reason string) {
	h.t.Helper()
	var last []byte
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("last status: %s", last)
		}
	})
	eventually(h.t, part+" is "+state, func() bool {
		r, err := h.Run(patient(h.t), "/bin/camd", "status", "--config", configPath, "--json")
		must(h.t, err)
		last = append(r.Stdout, r.Stderr...)
		var s proto.StatusAnswer
		if r.Exit != 0 || json.Unmarshal(r.Stdout, &s) != nil {
			return false // camd is not up yet
		}
		got := find(s, part)
		reason = got.Reason
		return is(got, state)
	})
	return reason
}

func find(s proto.StatusAnswer, part string) proto.Condition {
	for _, c := range s.Conditions {
		if c.Name == part {
			return c
		}
	}
	return proto.Condition{}
}

// stop ends camd as init does, and checks that it ends well.
func (h *household) stop() {
	h.t.Helper()
	must(h.t, h.Signal(patient(h.t), "camd", syscall.SIGTERM))
	exit, err := h.Ended(patient(h.t), "camd")
	must(h.t, err)
	if exit != 0 {
		h.t.Errorf("camd ended with exit code %d", exit)
	}
	h.tellLatencies()
}

// tellLatencies logs what camd said of its sessions: their delay_p50 and delay_p99
// run from a picture's hand-over, after DQBUF's return and one copy, to the last send.
func (h *household) tellLatencies() {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
	defer cancel()
	if _, err := h.listen(ctx, "camd"); err != nil {
		h.t.Log(err) // most often it has nothing more to say
	}
	for _, line := range h.Said("camd") {
		if strings.Contains(line, "session ended") {
			h.t.Log(line)
		}
	}
}

// camctlHere builds camctl for the host, once.
var camctlHere = sync.OnceValues(func() (string, error) {
	path := filepath.Join(cache(), "camctl")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, root+"/cmd/camctl").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build camctl: %w\n%s", err, out)
	}
	return path, nil
})

// camctl makes a camctl of the host, in the guest's network and with the owner's home.
func (h *household) camctl(args ...string) *exec.Cmd {
	h.t.Helper()
	program, err := camctlHere()
	must(h.t, err)
	return exec.CommandContext(h.t.Context(), program, append([]string{"--home", h.home, "--json"}, args...)...)
}

// call runs camctl on the host to its end, which must be a good one.
func (h *household) call(args ...string) []byte {
	h.t.Helper()
	out, problems, err := h.try(args...)
	if err != nil {
		h.t.Fatalf("camctl %s: %v\n%s%s", strings.Join(args, " "), err, out, problems)
	}
	return out
}

// try runs camctl on the host to its end, whatever that is.
func (h *household) try(args ...string) (out, problems []byte, err error) {
	h.t.Helper()
	cmd := h.camctl(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	h.net.Do(func() { err = cmd.Start() })
	must(h.t, err)
	err = cmd.Wait()
	return stdout.Bytes(), stderr.Bytes(), err
}

// refused runs camctl on the host and checks that the camera refuses.
func (h *household) refused(why proto.Code, args ...string) {
	h.t.Helper()
	out, problems, err := h.try(args...)
	if err == nil || !strings.Contains(string(problems), why.Sentence()) {
		h.t.Errorf("camctl %s: %v, %s%s; want %q", strings.Join(args, " "), err, out, problems, why.Sentence())
	}
}

// is reports whether a part is in a state. A camera that works is ok also where a slow
// guest makes fewer pictures than are configured, which its condition says.
func is(c proto.Condition, state string) bool {
	return c.State == state || c.Name == "camera" && state == "ok" && c.State == "degraded"
}

// reported waits until an owner far away sees a part in a state.
func (h *household) reported(part, state string) (reason string) {
	h.t.Helper()
	eventually(h.t, "the owner sees that "+part+" is "+state, func() bool {
		var s proto.StatusAnswer
		must(h.t, json.Unmarshal(h.call("status"), &s))
		got := find(s, part)
		reason = got.Reason
		return is(got, state)
	})
	return reason
}

// record records some seconds and gives the file.
func (h *household) record(seconds string) string {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "out.mp4")
	h.t.Logf("recorded: %s", bytes.TrimSpace(h.call("record", "--seconds", seconds, path)))
	return path
}
