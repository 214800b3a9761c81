package ble_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/client/ble"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	camera "github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
)

const device = proto.DeviceID("abcdefghijklmnopqrstuvwxyz")

// always is a window that is open.
type always struct{}

func (always) Open() bool               { return true }
func (always) Changed() <-chan struct{} { return nil }

// serve has a camera's own peripheral on the first adapter.
func serve(t *testing.T, id proto.DeviceID, join func(context.Context, camera.Conn) error) *bluetest.BlueZ {
	t.Helper()
	b := bluetest.New(t)
	p, err := camera.New("hci0", health.NewBoard(slog.New(slog.DiscardHandler)), always{},
		func() camera.About { return camera.About{Device: id, Owned: true} }, join)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = p.Run(ctx, func() {}) })
	t.Cleanup(func() { cancel(); work.Wait() })
	b.Advertised()
	return b
}

// shout answers each message by itself in capitals.
func shout(_ context.Context, c camera.Conn) error {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if err := c.WriteMessage(bytes.ToUpper(m)); err != nil {
			return err
		}
	}
}

func dial(t *testing.T, o ble.Options) *ble.Conn {
	t.Helper()
	o.Adapter = "hci1"
	c, err := ble.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Both sides are the real ones; BlueZ between them is not.
func TestMessagesBothWays(t *testing.T) {
	for _, mtu := range []uint16{23, 517} {
		b := serve(t, device, shout)
		b.Do(func() { b.MTU = mtu })
		c := dial(t, ble.Options{Wanted: func(d proto.DeviceID) bool { return d == device }})
		if c.Device != device || !c.Owned {
			t.Errorf("%s, owned %v", c.Device, c.Owned)
		}
		for _, m := range []string{"hello", strings.Repeat("x", 48), strings.Repeat("y", 3000)} {
			if err := c.WriteMessage([]byte(m)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.ReadMessage(); err != nil || string(got) != strings.ToUpper(m) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		}
		for _, m := range [][]byte{nil, make([]byte, proto.MaxMessage+1)} {
			if err := c.WriteMessage(m); err == nil {
				t.Errorf("a message of %d bytes was sent", len(m))
			}
		}
	}
}

func TestTheCameraEndsIt(t *testing.T) {
	serve(t, device, func(_ context.Context, c camera.Conn) error {
		_, err := c.ReadMessage()
		return errors.Join(err, errors.New("no"))
	})
	c := dial(t, ble.Options{})
	if err := c.WriteMessage([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadMessage(); err == nil || !strings.Contains(err.Error(), "the camera has ended the conversation") {
		t.Error(err)
	}
}

func TestSomebodyElseIsThere(t *testing.T) {
	b := serve(t, device, shout)
	if err := b.Phone("AA").Write("995c0002-ab38-4df1-b73f-0bafa5ab99b9", []byte{0x80, 1}); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, ble.Options{}).WriteMessage([]byte("hello")); err == nil || !strings.Contains(err.Error(), "somebody else is setting this camera up") {
		t.Error(err)
	}
}

func TestTheCameraGoesAway(t *testing.T) {
	b := serve(t, device, shout)
	c := dial(t, ble.Options{})
	if err := c.WriteMessage([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b.RemoveAdapter(bluetest.Camera)
	if _, err := c.ReadMessage(); err == nil || !strings.Contains(err.Error(), "the camera has gone") {
		t.Error(err)
	}
}

// While a person thinks nothing is said, and the camera does not hang up.
func TestTheCameraIsKeptWaiting(t *testing.T) {
	b := serve(t, device, shout)
	c := dial(t, ble.Options{})
	if err := c.WriteMessage([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	before := 0
	b.Do(func() { before = b.Reads[camera.Status.UUID()] })
	b.Wait("for signs of life", func() bool { return b.Reads[camera.Status.UUID()] >= before+3 })
	if err := c.WriteMessage([]byte("again")); err != nil {
		t.Fatal(err)
	}
	if m, err := c.ReadMessage(); err != nil || string(m) != "AGAIN" {
		t.Errorf("%q, %v", m, err)
	}
}

// Close ends a read that waits, and the link.
func TestClose(t *testing.T) {
	b := serve(t, device, shout)
	c := dial(t, ble.Options{})
	read := make(chan error, 1)
	if err := c.WriteMessage([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := c.ReadMessage()
		read <- err
	}()
	_ = c.Close()
	if err := <-read; err == nil {
		t.Error("a message came after the end")
	}
	b.Becomes("/org/bluez/hci1/dev_CA_3E_2A_00_00_01", "org.bluez.Device1", "Connected", false)
}

func TestWhatDialSays(t *testing.T) {
	t.Run("no bus", func(t *testing.T) {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
		says(t, ble.Options{}, "the system bus can't be reached")
	})
	t.Run("no BlueZ", func(t *testing.T) {
		bluetest.NewStopped(t)
		says(t, ble.Options{}, "BlueZ does not run")
	})
	t.Run("no adapter", func(t *testing.T) {
		b := bluetest.New(t)
		says(t, ble.Options{Adapter: "hci7"}, `no Bluetooth adapter "hci7"`)
		b.RemoveAdapter(bluetest.Camera)
		b.RemoveAdapter(bluetest.Client)
		says(t, ble.Options{}, "no Bluetooth adapter")
	})
	t.Run("blocked", func(t *testing.T) {
		b := bluetest.New(t)
		b.Do(func() { b.Refuse["SetPowered"] = dbus.NewError("org.bluez.Error.NotReady", nil) })
		says(t, ble.Options{}, "bluetoothctl power on")
	})
	t.Run("no camera by that name", func(t *testing.T) {
		serve(t, "no camera", shout)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b, err := ble.Dial(ctx, ble.Options{Adapter: "hci1", Wanted: func(proto.DeviceID) bool { return true }})
		if err == nil || b != nil || !strings.Contains(err.Error(), "is none that camctl knows") {
			t.Error(err)
		}
	})
}

func says(t *testing.T, o ble.Options, want string) {
	t.Helper()
	if c, err := ble.Dial(t.Context(), o); err == nil || c != nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Dial() = %v, want %q", err, want)
	}
}
