package main

import (
	"context"

	"github.com/camd-project/camd/pkg/setup/ble"
)

// openBluetooth lets phones pair over Bluetooth LE while the window is open.
func (d *daemon) openBluetooth() error {
	if d.cfg.Setup.BLE == ble.Off {
		return nil
	}
	about := func() ble.About { return ble.About{Device: d.identity.DeviceID(), Owned: d.authority.Owned()} }
	join := func(ctx context.Context, conn ble.Conn) error {
		d.log.Info("a phone begins to pair over Bluetooth")
		err := d.authority.Join(ctx, conn)
		if err != nil {
			d.log.Warn("pairing over Bluetooth failed", "error", err, "cause", context.Cause(ctx))
		}
		return err
	}
	p, err := ble.New(d.cfg.Setup.BLE, d.board, pairingWindow{d.authority}, about, join)
	if err != nil {
		return inTable("setup", err)
	}
	d.run(p)
	return nil
}
