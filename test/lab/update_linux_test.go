package lab

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/pkg/proto"
)

const updatePort = 8443

// maker publishes releases for the device, on a web server of the host.
type maker struct {
	*workshop
	folder *publish.Folder
	www    string
	ca     *pki.CA
}

// newMaker makes a maker with keys of its own. All versions have its camd.
func newMaker(t *testing.T) *maker {
	t.Helper()
	ca, err := pki.NewCA("lab")
	must(t, err)
	m := &maker{workshop: newWorkshop(t), ca: ca}
	m.www = filepath.Join(m.dir, "www")
	m.folder, err = publish.Init(filepath.Join(m.dir, "maker"), publish.Options{Origin: "lab.example/releases"}, inClear)
	must(t, err)
	m.every = Version{
		Anchors: m.folder.Path("anchors"),
		Files: Archive{
			"usr/bin/camd":                        {0o755, read(t, release(t, "camd", ARM64))},
			"usr/bin/camctl":                      {0o755, read(t, release(t, "camctl", ARM64))},
			"usr/lib/systemd/system/camd.service": {0o644, read(t, root+"/docs/systemd/camd.service")},
			"etc/ssl/certs/ca-certificates.crt":   {0o644, ca.PEM()},
		},
	}
	return m
}

// inClear is the passphrase of keys that are worth nothing.
func inClear(string, bool) ([]byte, error) { return nil, nil }

// publish brings a version to all cameras.
func (m *maker) publish(number, slot string) {
	m.t.Helper()
	bundle := filepath.Join(m.dir, number+".raucb")
	must(m.t, tree.Bundle(m.t.Context(), bundle, Compatible, number, slot, m.pki))
	_, err := m.folder.Add(publish.Release{Bundle: bundle, Notes: "The lab's version " + number + "."})
	must(m.t, err)
	for _, key := range []string{"targets-1.key", "targets-3.key"} {
		_, err := m.folder.Sign(m.folder.Path("keys", key), inClear)
		must(m.t, err)
	}
	if err := m.folder.Publish(m.www); !errors.Is(err, publish.ErrUnwitnessed) {
		m.t.Fatalf("published without a witness: %v", err)
	}
	witness := publish.Witness{LogKey: m.folder.Path("anchors", "log.pub"), Key: m.folder.Path("keys", "witness.key"), State: filepath.Join(m.dir, "witness.seen"), Ask: inClear}
	_, _, err = witness.Sign(m.t.Context(), m.www)
	must(m.t, err)
	must(m.t, m.folder.Publish(m.www))
	must(m.t, m.folder.SetRollout(Compatible, number, 100))
	must(m.t, m.folder.Publish(m.www))
	must(m.t, os.Remove(bundle))
}

// serve has the published folder answer cameras.
func (m *maker) serve(n *Namespace) {
	m.t.Helper()
	cert, err := m.ca.Server(HostAddress.Addr().String())
	must(m.t, err)
	var l net.Listener
	n.Do(func() { l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", HostAddress.Addr(), updatePort)) })
	must(m.t, err)
	s := &http.Server{Handler: http.FileServer(http.Dir(m.www)), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}}
	go s.ServeTLS(l, "", "") //nolint:errcheck // ends with Close
	m.t.Cleanup(func() { s.Close() })
}

// camera is a device that a household has.
type camera struct {
	*household
	device *device
}

// settled flashes a device, and sets it up as factory, operator and owner do.
func (m *maker) settled(slot string) *camera {
	m.t.Helper()
	d := m.flash(slot)
	h := &household{t: m.t, net: d.net, ca: m.ca, home: m.t.TempDir()}
	h.startBroker()
	m.serve(d.net)
	d.up(1)
	d.grown()
	h.Guest = d.Guest
	c := &camera{household: h, device: d}
	m.t.Cleanup(c.showJournal)
	settings := configuration(silent) + fmt.Sprintf("[update]\nurl = \"https://%s:%d\"\nrate_kbit = 0\nbroker_minutes = 1\n", HostAddress.Addr(), updatePort)
	must(m.t, h.Put(patient(m.t), "/etc/camd/ca.pem", 0o644, m.ca.PEM()))
	must(m.t, h.Put(patient(m.t), configPath, 0o644, []byte(settings)))
	h.label = h.factory("off")
	h.run("/bin/chown", "-R", "camd:camd", statePath+"/.")
	h.run("/bin/systemctl", "start", "camd.service")
	h.condition("broker", "ok")
	h.pair()
	return c
}

// showJournal logs what the device's services said in this boot, if the test has failed.
func (c *camera) showJournal() {
	if !c.t.Failed() || c.device.Guest == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := c.Run(ctx, "/bin/journalctl", "--no-pager", "-b", "-o", "short-monotonic", "-n", "150")
	if err != nil {
		c.t.Log(err)
		return
	}
	c.t.Logf("the journal:\n%s", r.Stdout)
}

// restarted waits until the device has gone off, and is up again, in so many boots at most.
func (c *camera) restarted(boots int) {
	c.t.Helper()
	select {
	case <-c.Guest.ended:
	case <-unhurried(c.t).Done():
		c.t.Fatal("the device did not restart")
	}
	c.up(boots)
}

// up is the device's.
func (c *camera) up(boots int) {
	c.t.Helper()
	c.device.up(boots)
	c.Guest = c.device.Guest
}

// status is what camd says of updates; without an answer, nothing.
func (c *camera) status() (s proto.UpdateStatus) {
	c.t.Helper()
	r, err := c.Run(patient(c.t), "/bin/camd", "status", "--config", configPath, "--json")
	var all proto.StatusAnswer
	if err != nil || r.Exit != 0 || json.Unmarshal(r.Stdout, &all) != nil || all.Update == nil {
		return s
	}
	return *all.Update
}

// offered has the camera look for a release, until it has found this one.
func (c *camera) offered(number string) {
	c.t.Helper()
	await(unhurried(c.t), c.t, time.Second, "the camera finds version "+number, func() bool {
		r, err := c.Run(patient(c.t), "/bin/camd", "update", "check", "--config", configPath)
		must(c.t, err)
		return r.Exit == 0 && c.status().Offered == number
	})
}

// runs waits until a version runs and nothing is under way, and tells what became of the
// version that was offered last.
func (c *camera) runs(number string) (s proto.UpdateStatus) {
	c.t.Helper()
	await(unhurried(c.t), c.t, time.Second, "version "+number+" runs, and no other one is under way", func() bool {
		s = c.status()
		return s.Version == number && (s.State == proto.UpdateCurrent || s.State == proto.UpdateFailed)
	})
	c.t.Logf("version %s runs in slot %s; %s %s %s", s.Version, c.device.slot(), s.State, s.Offered, s.Reason)
	return s
}

// TestUpdateStory: a camera updates itself over the network, through power cuts; a version
// that can't reach the broker and one whose kernel panics give way to the one before.
func TestUpdateStory(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	one, two := m.version(Version{Number: "1.0.0"}), m.version(Version{Number: "2.0.0"})
	c := m.settled(one)
	if mounts := c.device.run("cat", "/proc/mounts"); !strings.Contains(mounts, "/dev/dm-0 / squashfs ro,") || !strings.Contains(mounts, " /var/lib/camd ext4 rw,") {
		t.Errorf("mounted are\n%s", mounts)
	}

	m.publish("2.0.0", two)
	c.offered("2.0.0")
	c.cut("while the other slot is being written", func() bool { return c.device.holds("kernel-b", filepath.Join(two, "kernel.img")) })
	c.booted("A", "1.0.0")
	c.cut("when the boot loader has just been told", func() bool { return c.device.order() == "B A" })
	c.booted("B", "2.0.0")
	c.cut("before the new version is confirmed", func() bool { return true })
	c.booted("B", "2.0.0")
	if s := c.runs("2.0.0"); s.State != proto.UpdateCurrent {
		t.Errorf("version 2.0.0 is %+v, want confirmed", s)
	}

	m.publish("3.0.0", m.version(Version{Number: "3.0.0", Files: Archive{
		// A bug of the release: it asks a proxy that is not there for the broker.
		"etc/systemd/system/camd.service.d/bug.conf": {0o644, []byte("[Service]\nEnvironment=HTTPS_PROXY=http://127.0.0.1:9\n")},
	}}))
	c.offered("3.0.0")
	c.restarted(1)
	c.booted("A", "3.0.0")
	c.restarted(1)
	c.booted("B", "2.0.0")
	if s := c.runs("2.0.0"); s.State != proto.UpdateFailed || s.Offered != "3.0.0" || !strings.Contains(s.Reason, "broker") {
		t.Errorf("after version 3.0.0: %+v, want failed for the broker", s)
	}

	m.publish("4.0.0", m.version(Version{Number: "4.0.0", Panics: true}))
	c.offered("4.0.0")
	c.restarted(4)
	if n := strings.Count(c.device.console.String(), "Kernel panic - not syncing"); n != 3 {
		t.Errorf("the kernel panicked %d times, want 3", n)
	}
	c.booted("B", "2.0.0")
	if s := c.runs("2.0.0"); s.State != proto.UpdateFailed || s.Offered != "4.0.0" {
		t.Errorf("after version 4.0.0: %+v, want failed", s)
	}
	c.told("The camera runs version 2.0.0, which has proved itself.",
		"The camera could not tell whether version 3.0.0 works",
		"The update to version 3.0.0 failed: it did not reach the broker",
		"The update to version 4.0.0 failed: it did not start, and the boot loader went back")
}

// cut cuts the power at a moment, and switches the device on again.
func (c *camera) cut(moment string, now func() bool) {
	c.t.Helper()
	await(unhurried(c.t), c.t, 20*time.Millisecond, "power cut "+moment, now)
	c.t.Logf("power cut %s", moment)
	c.up(1)
}

// booted checks which slot and version have booted.
func (c *camera) booted(slot, number string) {
	c.t.Helper()
	text := c.device.run("cat", "/etc/os-release")
	if s := c.device.slot(); s != slot || !strings.Contains(text, "IMAGE_VERSION="+number+"\n") {
		c.t.Fatalf("slot %s has booted %q, want slot %s with version %s", s, text, slot, number)
	}
}

// told checks that the owner reads some sentences in the camera's access log, in this order.
func (c *camera) told(sentences ...string) {
	c.t.Helper()
	log := string(c.call("log"))
	rest := log
	for _, s := range sentences {
		var ok bool
		if _, rest, ok = strings.Cut(rest, s); !ok {
			c.t.Errorf("the owner does not read %q in\n%s", s, log)
		}
	}
	for line := range strings.Lines(log) {
		var entry struct{ Sentence string }
		if json.Unmarshal([]byte(line), &entry) == nil {
			c.t.Log(entry.Sentence)
		}
	}
}
