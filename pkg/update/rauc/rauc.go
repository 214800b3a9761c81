// Package rauc controls RAUC over D-Bus: it returns which slot runs, inspects bundles, installs
// them into the other slot, and sets the boot loader's marks. It works with RAUC 1.8 (Debian)
// and 1.15 (the image). Messages of RAUC are made harmless.
//
// Sources: RAUC's de.pengutronix.rauc.Installer.xml, and its reference manual.
package rauc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/update"
)

const (
	service    = "de.pengutronix.rauc"
	object     = dbus.ObjectPath("/")
	installer  = "de.pengutronix.rauc.Installer"
	properties = "org.freedesktop.DBus.Properties"
	bus        = "org.freedesktop.DBus"
)

// callTime bounds a call. The longest one verifies a whole bundle.
const callTime = 5 * time.Minute

// Driver makes a connection for each call. The bus starts RAUC when it is needed.
type Driver struct{ address string }

// New returns a driver on the system bus.
func New() *Driver { return &Driver{} }

// On returns a driver on the bus at an address, for tests.
func On(address string) *Driver { return &Driver{address: address} }

func (d *Driver) connect(ctx context.Context) (*dbus.Conn, error) {
	dial := func() (*dbus.Conn, error) { return dbus.ConnectSystemBus(dbus.WithContext(ctx)) }
	if d.address != "" {
		dial = func() (*dbus.Conn, error) { return dbus.Connect(d.address, dbus.WithContext(ctx)) }
	}
	conn, err := dial()
	if err != nil {
		return nil, fmt.Errorf("the system bus can't be reached, so nothing can be installed: %s", foreign.Line(err.Error()))
	}
	return conn, nil
}

// call calls a method of RAUC and stores the result.
func call(ctx context.Context, conn *dbus.Conn, method string, args []any, into ...any) error {
	within, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c := conn.Object(service, object).CallWithContext(within, method, 0, args...)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return fmt.Errorf("RAUC does not answer within %d minutes: look at the unit rauc.service", callTime/time.Minute)
	case c.Err != nil:
		return explain(c.Err)
	}
	if err := c.Store(into...); err != nil {
		return fmt.Errorf("RAUC answered %s in a way that camd does not know: %s", method[strings.LastIndexByte(method, '.')+1:], foreign.Line(err.Error()))
	}
	return nil
}

func property(ctx context.Context, conn *dbus.Conn, name string) (string, error) {
	var v dbus.Variant
	if err := call(ctx, conn, properties+".Get", []any{installer, name}, &v); err != nil {
		return "", err
	}
	s, ok := v.Value().(string)
	if !ok {
		return "", fmt.Errorf("RAUC's %s is no text", name)
	}
	return s, nil
}

// slot is a member of GetSlotStatus's answer.
type slot struct {
	Name  string
	Props map[string]dbus.Variant
}

func (s slot) text(key string) string {
	t, _ := s.Props[key].Value().(string) // what is not there is empty
	return t
}

// Status returns which slot runs. There must be two slots that boot.
func (d *Driver) Status(ctx context.Context) (update.SlotStatus, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return update.SlotStatus{}, err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	var all []slot
	if err := call(ctx, conn, installer+".GetSlotStatus", nil, &all); err != nil {
		return update.SlotStatus{}, err
	}
	all = slices.DeleteFunc(all, func(s slot) bool { return s.text("bootname") == "" })
	i := slices.IndexFunc(all, func(s slot) bool { return s.text("state") == "booted" })
	switch {
	case len(all) != 2:
		return update.SlotStatus{}, fmt.Errorf("RAUC knows %d slots that can be booted, not two: look at its system.conf", len(all))
	case i < 0:
		return update.SlotStatus{}, errors.New("RAUC does not know which slot runs: the kernel's command line must say rauc.slot")
	}
	s := update.SlotStatus{Booted: all[i].Name, Other: all[1-i].Name}
	if s.Compatible, err = property(ctx, conn, "Compatible"); err != nil {
		return update.SlotStatus{}, err
	}
	if err := call(ctx, conn, installer+".GetPrimary", nil, &s.Primary); err != nil {
		if errors.Is(err, update.ErrBusy) {
			return update.SlotStatus{}, err
		}
		s.Primary = "" // the boot loader names none, such as with both counters at zero
	}
	return s, nil
}

// Mark gives a slot one of the boot loader's marks.
func (d *Driver) Mark(ctx context.Context, m update.Mark, slot string) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was answered
	var marked, message string
	if err := call(ctx, conn, installer+".Mark", []any{string(m), slot}, &marked, &message); err != nil {
		return err
	}
	if marked != slot {
		return fmt.Errorf("RAUC marked the slot %s instead of %s", foreign.Name(marked), foreign.Name(slot))
	}
	return nil
}

// explain returns a sentence for a D-Bus error.
func explain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("RAUC can't be reached: %w", err)
	}
	said := foreign.Line(e.Error())
	switch {
	case strings.Contains(strings.ToLower(said), "already processing"):
		return fmt.Errorf("%w: RAUC works at something else", update.ErrBusy)
	case strings.HasSuffix(e.Name, ".AccessDenied"):
		return errors.New("camd may not call RAUC: the D-Bus policy must let its user do so")
	case strings.HasSuffix(e.Name, ".ServiceUnknown"), strings.HasSuffix(e.Name, ".NameHasNoOwner"), strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn"):
		return errors.New("RAUC does not run, and the system can't start it: look at the unit rauc.service")
	case strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error."):
		return saidError{said, e.Name}
	}
	return fmt.Errorf("%w: %w", update.ErrRefused, saidError{said, e.Name})
}

// saidError is an error of RAUC or of the bus.
type saidError struct{ said, name string }

func (e saidError) Error() string { return "RAUC says: " + e.said }
