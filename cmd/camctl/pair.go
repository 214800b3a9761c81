package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

type pairCmd struct {
	loginFlags
	Socket string `arg:"--socket" help:"the local socket of the camera's camd" default:"/run/camd/camd.sock" placeholder:"FILE"`
	Label  string `arg:"--label" help:"the label (required): the text of its QR code, CAMD:1?…, or the 38 characters to type; a dash reads it from standard input" placeholder:"TEXT"`
	Name   string `arg:"--name" help:"what to call the camera"`
}

// Run pairs and keeps what the camera said.
func (p pairCmd) Run(env *environment) error {
	if p.Label == "" {
		return usageError("--label is required")
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
	home, err := env.home()
	if err != nil {
		return err
	}
	r, err := pairAt(env.ctx, home, p.Socket, read, login, p.Name)
	if err != nil {
		return err
	}
	return env.print(map[string]any{"device": r.Device, "name": r.Name, "role": r.Role, "member": r.Member, "broker": r.Broker.URL},
		"Paired with camera %s as %s (%s). %s", r.Title(), r.Member, r.Role, brokerText(r.Broker))
}

// brokerText says where the camera is met, and if that is not where it says itself.
func brokerText(b client.Broker) string {
	if b.URL == b.Said {
		return fmt.Sprintf("Its broker is %s.", b.URL)
	}
	return fmt.Sprintf("Its broker is %s, as you have named it; the camera itself says %s, which --broker would take.", b.URL, b.Said)
}

// pairAt pairs over a local socket and saves the record.
func pairAt(ctx context.Context, home *client.Home, socket string, label labelOf, login client.Broker, name string) (client.Record, error) {
	keys, err := home.Keys()
	if err != nil {
		return client.Record{}, err
	}
	conn, err := client.Join(ctx, socket)
	if err != nil {
		return client.Record{}, err
	}
	defer func() { _ = conn.Close() }() // the pairing may have closed it
	known, err := label(conn.Device)
	if err != nil {
		return client.Record{}, badLabel(err)
	}
	r, err := client.Pair(ctx, conn, known, keys, login, home.Known(known.Device))
	if err != nil {
		return client.Record{}, err
	}
	if name != "" {
		r.Name = name
	}
	return r, home.Save(r)
}

// labelOf gives the label of the device that is at hand.
type labelOf func(proto.DeviceID) (pairing.Label, error)

// readLabel tells a QR code's text, which is judged at once, from typed
// characters, which need the name of the device that is at hand.
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

func badLabel(err error) error { return usageError(strings.TrimSuffix(pairing.Sentence(err), ".")) }
