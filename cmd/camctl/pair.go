package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/ble"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

type pairCmd struct {
	loginFlags
	codeFlags
	setupFlags
	Socket  string `arg:"--socket" help:"the local socket of the camera's camd" default:"/run/camd/camd.sock" placeholder:"FILE"`
	BLE     bool   `arg:"--ble" help:"pair over Bluetooth LE instead, by BlueZ, with a camera that is near"`
	Adapter string `arg:"--adapter" help:"the Bluetooth adapter for --ble (default: the first one)" placeholder:"hci0"`
	Label   string `arg:"--label" help:"the label (required): the text of its QR code, CAMD:1?…, or the 38 characters to type; a dash reads it from standard input" placeholder:"TEXT"`
	Name    string `arg:"--name" help:"what to call the camera"`
}

// Run pairs, and keeps what the camera said.
func (p pairCmd) Run(env *environment) error {
	if p.Label == "" {
		return command.Usage("--label is required")
	}
	if err := cmp.Or(p.codeFlags.check(p.Broker, p.BLE), p.setupFlags.check()); err != nil {
		return err
	}
	if p.Adapter != "" && !p.BLE {
		return command.Usage("--adapter goes with --ble")
	}
	text := p.Label
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<10))
		if err != nil {
			return fmt.Errorf("the label can't be read: %w", err)
		}
		text = string(data)
	}
	read, err := readLabel(text)
	if err != nil {
		return err
	}
	login, err := p.login()
	if err != nil {
		return err
	}
	h, err := env.home()
	if err != nil {
		return err
	}
	est, err := p.est(env)
	if err != nil {
		return err
	}
	r, err := p.pair(env, h, read, login, est)
	if lost := new(ble.LostError); errors.As(err, &lost) {
		return lost
	}
	if err != nil {
		return err
	}
	return env.Print(map[string]any{"device": r.Device, "name": r.Name, "role": r.Role, "member": r.Member, "broker": r.Broker.URL},
		"Paired with camera %s as %s (%s). %s", r.Title(), r.Member, r.Role, brokerText(r.Broker))
}

func (p pairCmd) pair(env *environment, h *home.Home, read labelOf, login home.Broker, est *proto.EST) (home.Record, error) {
	if p.QR {
		return p.pairByCode(env, h, read, login, est)
	}
	at := func(ctx context.Context, _ labelOf) (pairing.Conn, io.Closer, proto.DeviceID, error) {
		j, err := client.Join(ctx, p.Socket)
		if err != nil {
			return nil, nil, "", err
		}
		return j.Conn, j, j.Device, nil
	}
	if p.BLE {
		at = p.byBLE(env)
	}
	return pairAt(env.ctx, h, at, read, p.Name, &setUp{env: env, flags: p.setupFlags, login: login, ask: env.questions(), est: est})
}

// brokerText says which broker is used, and whether it is the one that the camera names.
func brokerText(b home.Broker) string {
	if b.URL == b.Said {
		return fmt.Sprintf("Its broker is %s.", b.URL)
	}
	return fmt.Sprintf("Its broker is %s, as you have named it; the camera itself says %s, which --broker would take.", b.URL, b.Said)
}

// joining begins a conversation with a camera at hand, whose label it gets, and returns
// which camera it is. The caller closes what it returns.
type joining func(ctx context.Context, label labelOf) (pairing.Conn, io.Closer, proto.DeviceID, error)

// byBLE looks for the camera of the label. A typed label fits any camera: the pairing shows
// whether it is the right one.
func (p pairCmd) byBLE(env *environment) joining {
	return func(ctx context.Context, label labelOf) (pairing.Conn, io.Closer, proto.DeviceID, error) {
		env.Note("Looking for a camera whose pairing window is open.")
		wanted := func(d proto.DeviceID) bool {
			l, err := label(d)
			return err == nil && l.Device == d
		}
		c, err := ble.Dial(ctx, ble.Options{Adapter: p.Adapter, Wanted: wanted, Note: env.Note})
		if err != nil {
			return nil, nil, "", err
		}
		return c, c, c.Device, nil
	}
}

// pairAt pairs with a camera at hand, sets it up if it is not, and saves the record.
func pairAt(ctx context.Context, h *home.Home, at joining, label labelOf, name string, set *setUp) (home.Record, error) {
	keys, err := h.Keys()
	if err != nil {
		return home.Record{}, err
	}
	if err := set.login.CheckFor(keys.ID()); err != nil {
		return home.Record{}, err
	}
	if err := set.prepare(); err != nil {
		return home.Record{}, err
	}
	conn, closer, device, err := at(ctx, label)
	if err != nil {
		return home.Record{}, err
	}
	defer func() { _ = closer.Close() }() // the pairing may have closed it
	known, err := label(device)
	if err != nil {
		return home.Record{}, badLabel(err)
	}
	set.client, set.device = keys.ID(), known.Device
	r, err := client.SetUp(ctx, conn, known, keys, h.Known(known.Device), set.talk)
	if err != nil {
		return home.Record{}, err
	}
	if name != "" {
		r.Name = name
	}
	return r, h.Save(r)
}

// labelOf returns the label of the device at hand.
type labelOf func(proto.DeviceID) (pairing.Label, error)

// readLabel reads the text of a QR code, or typed characters, which need the name of the
// device at hand.
func readLabel(text string) (labelOf, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, ":") {
		// Judged before the camera is asked which one it is: any will do for that.
		if _, err := pairing.ParseTyped(proto.DeviceID(strings.Repeat("a", 26)), text); err != nil {
			return nil, badLabel(err)
		}
		return func(d proto.DeviceID) (pairing.Label, error) { return pairing.ParseTyped(d, text) }, nil
	}
	label, err := pairing.ParseLabel(text)
	if err != nil {
		return nil, badLabel(err)
	}
	return func(proto.DeviceID) (pairing.Label, error) { return label, nil }, nil
}

func badLabel(err error) error { return command.Usage(strings.TrimSuffix(pairing.Sentence(err), ".")) }
