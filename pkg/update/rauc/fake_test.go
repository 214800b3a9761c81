package rauc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/rauc"
	"github.com/camd-project/camd/pkg/update/release"
)

const (
	name      = "de.pengutronix.rauc"
	installer = "de.pengutronix.rauc.Installer"
)

// newer answers as the RAUC of the image does, 1.15, which is no package of Debian's.
type newer struct {
	conn *dbus.Conn
	info map[string]dbus.Variant
	end  int32  // of an installation
	last string // LastError
	die  bool   // in the middle of one
	fail *dbus.Error

	lie *dbus.Conn // says that all is done, before it is

	mu   sync.Mutex
	args []map[string]dbus.Variant
}

func (n *newer) InspectBundle(string, map[string]dbus.Variant) (map[string]dbus.Variant, *dbus.Error) {
	return n.info, n.fail
}

func (n *newer) InstallBundle(to dbus.Sender, _ string, args map[string]dbus.Variant) *dbus.Error {
	n.mu.Lock()
	n.args = append(n.args, args)
	lie := n.lie
	n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	go func() {
		if lie != nil {
			lie.Send(&dbus.Message{Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected, Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(string(to)), dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath("/")),
				dbus.FieldInterface: dbus.MakeVariant(installer), dbus.FieldMember: dbus.MakeVariant("Completed"),
				dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(int32(0))),
			}, Body: []any{int32(0)}}, nil)
			var id string // when the bus answers, it has passed that on
			_ = lie.BusObject().Call("org.freedesktop.DBus.GetId", 0).Store(&id)
		}
		for _, p := range []int32{0, 20, 20, 99, 100} {
			type progress struct {
				Percent int32
				Message string
				Depth   int32
			}
			_ = n.conn.Emit("/", "org.freedesktop.DBus.Properties.PropertiesChanged", installer, map[string]dbus.Variant{"Progress": dbus.MakeVariant(progress{p, "Copying", 1})}, []string{})
		}
		if n.die {
			_, _ = n.conn.ReleaseName(name)
			return
		}
		_ = n.conn.Emit("/", installer+".Completed", n.end)
	}()
	return nil
}

func (n *newer) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(n.last), nil
}

// newBus starts a bus, and a RAUC of ours on it.
func newBus(t *testing.T, n *newer) *rauc.Driver {
	t.Helper()
	d, _ := newBusAt(t, n)
	return d
}

func newBusAt(t *testing.T, n *newer) (*rauc.Driver, string) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("this machine lacks dbus-daemon: scripts/setup.sh test installs it")
	}
	s := &sandbox{t: t, dir: t.TempDir(), ends: map[string]func(){}}
	address := s.bus()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n.conn = conn
	for iface, methods := range map[string]map[string]string{
		installer:                         {"InspectBundle": "InspectBundle", "InstallBundle": "InstallBundle"},
		"org.freedesktop.DBus.Properties": {"Get": "Get"},
	} {
		if err := conn.ExportWithMap(n, methods, "/", iface); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(name, 0); err != nil {
		t.Fatal(err)
	}
	return rauc.On(address), address
}

func TestANewerRAUCComparesTheManifestItself(t *testing.T) {
	n := &newer{}
	d := newBus(t, n)
	last := -1
	if err := d.Install(t.Context(), update.Bundle{Path: "/bundle", Manifest: "abc"}, func(p int) {
		if p <= last {
			t.Errorf("progress goes from %d to %d", last, p)
		}
		last = p
	}); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.args) != 1 || n.args[0]["require-manifest-hash"].Value() != "abc" || last != 100 {
		t.Errorf("it was asked with %v; progress ended at %d", n.args, last)
	}
}

func TestHowAnInstallationEnds(t *testing.T) {
	gio := func(said string) *dbus.Error {
		return dbus.NewError("org.gtk.GDBus.UnmappedGError.Quark._g_2dio_2derror_2dquark.Code30", []any{said})
	}
	for name, c := range map[string]struct {
		rauc *newer
		is   error
		want string
	}{
		"it says why":        {&newer{end: 1, last: "Failed mounting bundle: \x1b[31mI/O error"}, update.ErrRefused, `RAUC says: Failed mounting bundle: \u001b[31mI/O error`},
		"it does not":        {&newer{end: 1}, update.ErrRefused, "did not say why"},
		"it ends":            {&newer{die: true}, nil, "RAUC ended during the installation"},
		"it is busy":         {&newer{fail: gio("Already processing a different method")}, update.ErrBusy, "works at something else"},
		"it refuses":         {&newer{fail: gio("Rejected")}, update.ErrRefused, "RAUC says: Rejected"},
		"the policy forbids": {&newer{fail: dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"Rejected send message, 2 matched rules"})}, nil, "the D-Bus policy must let its user"},
	} {
		t.Run(name, func(t *testing.T) {
			err := newBus(t, c.rauc).Install(t.Context(), update.Bundle{Path: "/bundle"}, func(int) {})
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) || c.is == nil && errors.Is(err, update.ErrRefused) {
				t.Errorf("Install() = %v, want %q", err, c.want)
			}
		})
	}
}

// Whoever else is on the bus can't say that an installation is done.
func TestOnlyRAUCSaysThatItIsDone(t *testing.T) {
	n := &newer{end: 1, last: "no space"}
	d, address := newBusAt(t, n)
	lie, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lie.Close() })
	n.mu.Lock()
	n.lie = lie
	n.mu.Unlock()
	if err := d.Install(t.Context(), update.Bundle{Path: "/bundle"}, func(int) {}); !errors.Is(err, update.ErrRefused) {
		t.Errorf("Install() = %v, though RAUC says that it failed", err)
	}
}

func TestAnInstallationThatIsLeftToItself(t *testing.T) {
	n := &newer{}
	d := newBus(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Install(ctx, update.Bundle{Path: "/bundle"}, func(int) { cancel() })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Install() = %v", err)
	}
}

func TestANewerRAUCNamesTheManifest(t *testing.T) {
	needRAUC(t)
	m := newMaker(t)
	image := noise()
	path := m.bundle(t, spec{"1.2.0", compatible, "verity", true, image})
	right, err := newSandbox(t, m, "1.0.0").driver.Inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	plain := m.bundle(t, spec{"1.2.0", compatible, "plain", true, image})
	for _, c := range []struct {
		name, path, hash string
		refused          bool
	}{
		{"the same", path, right.Manifest, false},
		{"another", path, strings.Repeat("a", 64), true},
		{"none", path, "", false},
		{"of a plain bundle", plain, right.Manifest, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &newer{info: map[string]dbus.Variant{
				"update": dbus.MakeVariant(map[string]dbus.Variant{"compatible": dbus.MakeVariant(compatible), "version": dbus.MakeVariant("1.2.0")}),
			}}
			if c.hash != "" {
				n.info["manifest-hash"] = dbus.MakeVariant(c.hash)
			}
			b, err := newBus(t, n).Inspect(t.Context(), c.path)
			if c.refused {
				if !errors.Is(err, update.ErrRefused) {
					t.Errorf("Inspect() = %+v, %v", b, err)
				}
				return
			}
			want := right
			want.Path = c.path
			if err != nil || b != want {
				t.Errorf("Inspect() = %+v, %v, want %+v", b, err, want)
			}
		})
	}
}

// One content and nothing else: what RAUC verified must be what camd hashes.
func TestContent(t *testing.T) {
	if got, err := content(cms(wrap(0xa0, wrap(0x04, []byte("manifest"))))); err != nil || string(got) != "manifest" {
		t.Errorf("Content() = %q, %v", got, err)
	}
	for what, der := range map[string][]byte{
		"detached":       cms(nil),
		"another tag":    cms(wrap(0xa1, wrap(0x04, []byte("manifest")))),
		"two contents":   cms(wrap(0xa0, append(wrap(0x04, []byte("manifest")), wrap(0x04, []byte("other"))...))),
		"no text":        cms(wrap(0xa0, wrap(0x02, []byte{1}))),
		"something more": append(cms(wrap(0xa0, wrap(0x04, []byte("manifest")))), 0),
		"nothing":        nil,
	} {
		if got, err := content(der); err == nil {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func wrap(tag byte, b []byte) []byte { return append([]byte{tag, byte(len(b))}, b...) }

// cms returns a SignedData with what is to be its content, and without signatures.
func cms(eContent []byte) []byte {
	encap := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}, eContent...)
	body := append([]byte{0x02, 0x01, 0x01, 0x31, 0x00}, wrap(0x30, encap)...)
	outer := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}, wrap(0xa0, wrap(0x30, body))...)
	return wrap(0x30, outer)
}

func content(der []byte) ([]byte, error) {
	b := binary.BigEndian.AppendUint64(bytes.Clone(der), uint64(len(der)))
	return release.Manifest(bytes.NewReader(b), int64(len(b)))
}
