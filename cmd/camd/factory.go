package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

type factoryCmd struct {
	Init *factoryInitCmd `arg:"subcommand:init" help:"make this device's identity and label secret, once, and print the label"`
}

type factoryInitCmd struct {
	configFlag
	JSON bool `arg:"--json" help:"print JSON: device and label"`
}

// Run makes the identity. It refuses to run twice: the label on the housing
// would no longer fit.
func (f factoryInitCmd) Run(env *environment) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	identity, err := auth.InitFactory(cfg.Device.State)
	if errors.Is(err, auth.ErrExists) {
		return fmt.Errorf("this device has its identity already, in %s; its label stays as it is", filepath.Join(cfg.Device.State, "identity"))
	}
	if err != nil {
		return err
	}
	label := identity.Label()
	if f.JSON {
		e := json.NewEncoder(env.out)
		e.SetEscapeHTML(false) // the label's text has ampersands
		return e.Encode(struct {
			Device proto.DeviceID `json:"device"`
			Label  string         `json:"label"`
		}{identity.DeviceID(), label.Text()})
	}
	if err := command.PrintQR(env.out, label.Text()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.out, "label:   %s\ntyped:   %s\ndevice:  %s\n\nPrint the label and put it on the device: it lets someone at the device pair.\n"+
		"For the broker, have %s signed and put the certificate at\n%s.\n",
		label.Text(), label.TypedText(), identity.DeviceID(),
		filepath.Join(cfg.Device.State, "identity", "device.csr"), certificatePath(cfg))
	return err
}

type storeCheckCmd struct {
	Path string `arg:"positional,required" help:"the file"`
}

// Run judges one database; the exit code tells the parent.
func (s storeCheckCmd) Run(*environment) error {
	if err := store.CheckFile(s.Path); err != nil {
		return &codedError{store.ExitCode(err), err}
	}
	return nil
}
