package rauc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/update"
)

// installTime bounds an installation, even on the slowest flash.
const installTime = time.Hour

// Install lets RAUC write a bundle into the slot that does not run, and waits for the end.
// RAUC verifies signature and compatible, and runs the install-check hook, before it writes.
// An error of RAUC is wrapped in ErrRefused. After ErrBusy nothing was done.
func (d *Driver) Install(ctx context.Context, b update.Bundle, progress func(percent int)) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was answered
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface(installer), dbus.WithMatchMember("Completed"), dbus.WithMatchSender(service)},
		{dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchSender(service)},
		{dbus.WithMatchInterface(bus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchSender(bus), dbus.WithMatchArg(0, service)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return explain(err)
		}
	}
	if _, err := property(ctx, conn, "Operation"); err != nil { // it runs from now on
		return err
	}
	var owner string
	if err := conn.BusObject().CallWithContext(ctx, bus+".GetNameOwner", 0, service).Store(&owner); err != nil {
		return explain(err)
	}
	if err := begin(ctx, conn, b); err != nil {
		return err
	}
	return follow(ctx, conn, owner, signals, progress)
}

// begin starts the installation. The image's RAUC compares the manifest when it opens the
// bundle; an older RAUC refuses the argument.
func begin(ctx context.Context, conn *dbus.Conn, b update.Bundle) error {
	args := map[string]dbus.Variant{}
	if b.Manifest != "" {
		args["require-manifest-hash"] = dbus.MakeVariant(b.Manifest)
	}
	err := call(ctx, conn, installer+".InstallBundle", []any{b.Path, args})
	if err != nil && strings.Contains(err.Error(), "Unsupported key") {
		err = call(ctx, conn, installer+".InstallBundle", []any{b.Path, map[string]dbus.Variant{}})
	}
	return err
}

// follow reports progress until the installation has ended. Anybody on the bus may send a
// signal, but only RAUC and the bus under their own names.
func follow(ctx context.Context, conn *dbus.Conn, owner string, signals <-chan *dbus.Signal, progress func(percent int)) error {
	patience := time.NewTimer(installTime)
	defer patience.Stop()
	last := -1
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return fmt.Errorf("RAUC has not ended the installation within %d minutes: look at the unit rauc.service", installTime/time.Minute)
		case s, ok := <-signals:
			switch {
			case !ok:
				return errors.New("the system bus went away during the installation")
			case s.Sender == bus && s.Name == bus+".NameOwnerChanged" && len(s.Body) == 3 && s.Body[1] == owner:
				return errors.New("RAUC ended during the installation")
			case s.Sender != owner:
			case s.Name == installer+".Completed":
				return completed(ctx, conn, s)
			case s.Name == properties+".PropertiesChanged":
				if p, ok := percent(s); ok && p > last {
					last = p
					progress(p)
				}
			}
		}
	}
}

func percent(s *dbus.Signal) (int, bool) {
	if len(s.Body) < 2 {
		return 0, false
	}
	changed, _ := s.Body[1].(map[string]dbus.Variant)
	var p struct {
		Percent int32
		Message string
		Depth   int32
	}
	v, ok := changed["Progress"]
	if !ok || v.Store(&p) != nil || p.Percent < 0 || p.Percent > 100 {
		return 0, false
	}
	return int(p.Percent), true
}

func completed(ctx context.Context, conn *dbus.Conn, s *dbus.Signal) error {
	if len(s.Body) == 1 && s.Body[0] == int32(0) {
		return nil
	}
	said, err := property(ctx, conn, "LastError")
	if err != nil || said == "" {
		said = "it did not say why"
	}
	return fmt.Errorf("%w: RAUC says: %s", update.ErrRefused, foreign.Line(said))
}
