package main

import (
	"context"
	"log/slog"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/supervise"
)

// pairingWindow is the window as parts that are only there while it is open see it.
type pairingWindow struct{ *auth.Authority }

func (w pairingWindow) Open() bool               { return w.WindowState().Open }
func (w pairingWindow) Changed() <-chan struct{} { return w.WindowChanged() }

// bluetooth lets phones pair over Bluetooth LE while the window is open.
func bluetooth(adapter string, log *slog.Logger, board *health.Board, authority *auth.Authority) ([]supervise.Part, error) {
	if adapter == ble.Off {
		return nil, nil
	}
	about := func() ble.About {
		return ble.About{Device: authority.Identity().DeviceID(), Owned: authority.Owned()}
	}
	join := func(ctx context.Context, conn ble.Conn) error {
		log.Info("a phone begins to pair over Bluetooth")
		err := authority.Join(ctx, conn)
		if err != nil {
			log.Warn("pairing over Bluetooth failed", "error", err, "cause", context.Cause(ctx))
		}
		return err
	}
	p, err := ble.New(adapter, board, pairingWindow{authority}, about, join)
	if err != nil {
		return nil, inTable("setup", err)
	}
	return []supervise.Part{{Component: p}}, nil
}

// bluetooth looks at the adapter by which phones set the camera up, and changes nothing.
func (r *report) bluetooth(ctx context.Context, adapter string) {
	if adapter == ble.Off {
		r.line("Bluetooth", "-", "setup.ble is off: phones don't find this camera")
		return
	}
	if err := ble.CheckName(adapter); err != nil {
		r.fail("Bluetooth", err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	found, err := ble.Find(ctx, adapter)
	switch {
	case err != nil && ble.Fault(adapter, err):
		r.fail("Bluetooth", err.Error())
	case err != nil:
		r.line("Bluetooth", "-", err.Error()+"; phones don't find this camera")
	default:
		r.line("Bluetooth", "ok", found)
	}
}
