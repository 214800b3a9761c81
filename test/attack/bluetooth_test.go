package attack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/ble"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	camera "github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
	"github.com/camd-project/camd/test/rig"
)

const onAir = synthetic + "[setup]\nble = \"hci0\"\n"

// joinNear pairs keys with label over Bluetooth.
func joinNear(t *testing.T, r *rig.Rig, keys *home.Keys, label pairing.Label) (home.Record, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	conn, err := ble.Dial(ctx, ble.Options{Adapter: "hci1", Wanted: func(d proto.DeviceID) bool { return d == label.Device }})
	must(t, err)
	defer conn.Close() //nolint:errcheck // the pairing may have closed it
	return client.Pair(ctx, conn, label, keys, r.Login(keys), nil)
}

// unseen wants a camera that no phone finds, and that answers none that knows it.
func unseen(t *testing.T, b *bluetest.BlueZ, when string) {
	t.Helper()
	b.Quiet()
	p := b.Phone("EE")
	defer p.Leave()
	if err := p.Write(camera.RX.UUID(), []byte{0xc0, 1}); err == nil {
		t.Errorf("the camera answers %s", when)
	}
}

func TestT10OverBluetooth(t *testing.T) {
	b := bluetest.New(t)
	r := rig.New(t, onAir)
	r.Start()
	r.Online()
	h := &house{Rig: r, t: t}
	attacker, owner := newKeys(t), newKeys(t)
	unseen(t, b, "though no window was ever opened")

	r.OpenWindow("Anna")
	b.Advertised()
	if err := r.Signal(syscall.SIGKILL); err == nil {
		t.Fatal("SIGKILL left exit code 0")
	}
	unseen(t, b, "though camd was killed")
	r.Start()
	r.Online()
	unseen(t, b, "in a window that was opened before a restart")

	wrong := r.Label
	wrong.Secret[7] ^= 0x10
	r.OpenWindow("Anna")
	for i := range 5 {
		if _, err := joinNear(t, r, attacker, wrong); err == nil {
			t.Fatalf("attempt %d paired with a wrong secret", i+1)
		}
	}
	unseen(t, b, "at the sixth attempt")
	if l := h.members(); len(l) != 0 {
		t.Errorf("members %+v, want none", l)
	}

	r.OpenWindow("Anna") // the owner can always open another one
	record, err := joinNear(t, r, owner, r.Label)
	must(t, err)
	h.sees(r.Dial(owner, record))
	if l := h.members(); len(l) != 1 || l[0].Client != owner.ID() {
		t.Errorf("members %+v, want the owner alone", l)
	}
}

// ajar is a window that never closes.
type ajar struct{}

func (ajar) Open() bool               { return true }
func (ajar) Changed() <-chan struct{} { return nil }

func TestT11OverBluetooth(t *testing.T) {
	b := bluetest.New(t)
	r := rig.New(t, synthetic) // whose label somebody has photographed
	conns := make(chan camera.Conn, 1)
	p, err := camera.New("hci0", health.NewBoard(slog.New(slog.DiscardHandler)), ajar{}, func() camera.About { return camera.About{Device: r.Label.Device} },
		func(ctx context.Context, c camera.Conn) error { conns <- c; <-ctx.Done(); return ctx.Err() })
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx, func() {}) }()
	t.Cleanup(func() { cancel(); <-done })
	b.Advertised()

	paired := make(chan error, 1)
	go func() {
		_, err := joinNear(t, r, newKeys(t), r.Label)
		paired <- err
	}()
	c := <-conns
	_, write, h := shake(t, c, r.Label, false)
	key, chain := identity(t)
	trio, err := envelope.SignTrio(envelope.Trio{Device: r.Label.Device, Epoch: 1, Sig: &key.PublicKey, Enc: newKeys(t).Opener().PublicKey(), Log: make([]byte, 32)}, key)
	must(t, err)
	jws, err := envelope.Sign(typeHello, "", map[string]any{"h": h, "deviceId": r.Label.Device, "x5c": []string{base64.StdEncoding.EncodeToString(chain)},
		"trio": string(trio), "ep": 1, "owned": false}, key)
	must(t, err)
	text, err := json.Marshal(hello{"device", string(jws)})
	must(t, err)
	write(text)
	if m, err := c.ReadMessage(); err == nil {
		t.Fatalf("someone in the middle got %d bytes of the client", len(m)) // who waits for more of them
	}
	if err := <-paired; err == nil || !strings.Contains(err.Error(), "is not the camera on the label") {
		t.Errorf("the client says %v", err)
	}
}

func TestT12OverBluetooth(t *testing.T) {
	bluetest.New(t)
	r := rig.New(t, onAir)
	r.Start()
	r.Online()
	h := &house{Rig: r, t: t}
	owner, visitor := newKeys(t), newKeys(t)
	r.OpenWindow("Anna")
	record, err := joinNear(t, r, owner, r.Label)
	must(t, err)
	r.OpenWindow("Eve") // which is what the button does
	for range 2 {
		if _, err := joinNear(t, r, visitor, r.Label); err == nil || !strings.Contains(err.Error(), proto.CodeOwned.Sentence()) {
			t.Fatalf("the visitor pairs: %v", err)
		}
	}
	if l := h.members(); len(l) != 1 || l[0].Client != owner.ID() {
		t.Errorf("members %+v, want the owner alone", l)
	}
	if _, err := joinNear(t, r, owner, r.Label); err != nil {
		t.Errorf("the owner's own key gets no receipt: %v", err)
	}
	h.sees(r.Dial(owner, record))
}
