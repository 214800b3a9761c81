package system

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// slots stands for RAUC, which says what runs and installs nothing.
type slots struct{}

type slot struct {
	Name  string
	Props map[string]dbus.Variant
}

func (slots) GetSlotStatus() ([]slot, *dbus.Error) {
	of := func(name, state string) slot {
		return slot{"rootfs." + name, map[string]dbus.Variant{"bootname": dbus.MakeVariant(name), "state": dbus.MakeVariant(state)}}
	}
	return []slot{of("A", "booted"), of("B", "inactive")}, nil
}

func (slots) GetPrimary() (string, *dbus.Error)                 { return "rootfs.A", nil }
func (slots) Mark(_, slot string) (string, string, *dbus.Error) { return slot, "marked", nil }

// Get is of org.freedesktop.DBus.Properties.
func (slots) Get(_, _ string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(publishtest.Kind), nil
}

// withRAUC starts a bus of the test's own, with what stands for RAUC on it.
func withRAUC(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("this machine lacks dbus-daemon")
	}
	address := "unix:path=" + filepath.Join(dir, "bus")
	file := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(file, []byte(`<busconfig><type>session</type><listen>`+address+`</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="false"/></policy></busconfig>`), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("dbus-daemon", "--config-file="+file, "--nofork", "--nopidfile", "--print-address")
	out, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil { // it listens
		t.Fatal(err)
	}
	c, err := dbus.Connect(address, dbus.WithContext(patient(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, name := range []string{"de.pengutronix.rauc.Installer", "org.freedesktop.DBus.Properties"} {
		if err := c.Export(slots{}, "/", name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.RequestName("de.pengutronix.rauc", 0); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
}

// published serves a maker's folder over HTTPS, whose bundles hang, and returns the
// configuration of a camera that takes its releases from there.
func published(t *testing.T, site *publishtest.Site) (tables string) {
	t.Helper()
	files := http.FileServer(http.Dir(site.Dir))
	ended := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/targets/") {
			select {
			case <-r.Context().Done():
			case <-ended:
			}
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(ended); server.Close() })
	dir := t.TempDir()
	roots, image := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "os-release")
	for path, text := range map[string][]byte{
		roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		image: fmt.Appendf(nil, "IMAGE_ID=%s\nIMAGE_VERSION=1.0.0\n", publishtest.Kind),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SSL_CERT_FILE", roots)
	return fmt.Sprintf("[update]\nurl = %q\nanchors = %q\nimage = %q\n", server.URL, site.Anchors, image)
}

// A release that the maker publishes is found, told to every member, shown to whoever
// asks, and decided about by those alone who hold the scope for it.
func TestAReleaseIsFoundAndTold(t *testing.T) {
	withRAUC(t, t.TempDir())
	site := publishtest.New(t)
	site.Release("1.0.0")
	tables := published(t, site)
	r := rig.New(t, synthetic+tables)
	r.Start()
	r.Online()
	anna := r.Owner()
	ben := r.Invite(anna, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	ctx := patient(t)
	heard, cancel, err := ben.Notices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	now, err := anna.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoStatus})
	if err != nil || now.Version != "1.0.0" || now.Offered != "" {
		t.Fatalf("before: %+v, %v", now, err)
	}
	_, err = anna.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoInstall})
	refusedWith(t, "install nothing", err, proto.CodeNoUpdate)

	site.Release("1.1.0")
	_, err = ben.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoCheck})
	refusedWith(t, "check without the scope", err, proto.CodeScope)
	if _, err := anna.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoCheck}); err != nil {
		t.Fatal(err)
	}
	r.Until("the release is found", func() bool {
		now, err = ben.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoStatus})
		return err == nil && now.Offered == "1.1.0"
	})
	if now.Notes != "Notes of 1.1.0" || now.Latest == 0 || now.Checked == 0 {
		t.Errorf("%+v", now)
	}
	until := time.Now().Add(24 * time.Hour).Unix()
	_, err = ben.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: until})
	refusedWith(t, "put off without the scope", err, proto.CodeScope)
	_, err = anna.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: now.Latest + 1})
	refusedWith(t, "put off for too long", err, proto.CodePutOff)
	now, err = anna.Update(ctx, proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: until})
	if err != nil || now.Postponed != until {
		t.Errorf("put off: %+v, %v", now, err)
	}
	var told string
	for _, want := range []string{"The camera found version 1.1.0, and will install it.", "Anna put off version 1.1.0 until "} {
		r.Until(want, func() bool {
			for len(heard) > 0 {
				n := <-heard
				told += accesslog.Sentence(n.Entry, time.UTC) + "\n"
			}
			return strings.Contains(told, want)
		})
	}
	out, err := r.Run("update", "status")
	if err != nil || !strings.Contains(string(out), "version 1.1.0 ") || !strings.Contains(string(out), "Notes of 1.1.0") {
		t.Errorf("camd update status: %v\n%s", err, out)
	}
	out, err = r.Run("status")
	if err != nil || !strings.Contains(string(out), "version 1.1.0 ") || strings.Contains(string(out), "Notes of") {
		t.Errorf("camd status: %v\n%s", err, out)
	}
	if _, err := anna.VerifyLog(ctx); err != nil {
		t.Error(err)
	}
}
