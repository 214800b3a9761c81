package main

import (
	"context"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble"
)

// listenTime bounds the scan for networks.
const listenTime = 30 * time.Second

// scanner is the camera's Wi-Fi for camd check.
type scanner interface {
	Interfaces() []string
	Interface(ctx context.Context) (string, error)
	Networks(ctx context.Context) ([]proto.Network, error)
}

// wifi lists the interface and the networks that it finds. It joins and leaves nothing. A
// camera with a cable needs none of it, so nothing here counts as wrong.
func (r *report) wifi(ctx context.Context, radio scanner) {
	if len(radio.Interfaces()) == 0 {
		r.line("Wi-Fi", "-", "none: this camera has no Wi-Fi interface")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	name, err := radio.Interface(ctx)
	if err != nil {
		r.line("Wi-Fi", "?", err.Error())
		return
	}
	l, err := radio.Networks(ctx)
	if err != nil {
		r.line("Wi-Fi", "?", err.Error())
		return
	}
	r.line("Wi-Fi", "ok", fmt.Sprintf("%s, which hears %d networks", foreign.Name(name), len(l)))
	for _, n := range l {
		state := "ok"
		if n.Security == proto.SecurityOther {
			state = "-" // the camera can't join it
		}
		r.line("network", state, fmt.Sprintf("%s, %s, %d dBm, %s GHz", foreign.Name(string(n.SSID)), n.Security, n.Signal, n.Band))
	}
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
