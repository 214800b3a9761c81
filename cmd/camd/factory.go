package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

type factoryCmd struct {
	Init   *factoryInitCmd   `arg:"subcommand:init" help:"make this device's identity and label secret, once, and print the label"`
	Repair *factoryRepairCmd `arg:"subcommand:repair" help:"make anew what is damaged of the identity, after saying what is lost"`
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
	return printIdentity(env, cfg, identity, f.JSON)
}

// printIdentity prints the label and what else is to be done with it.
func printIdentity(env *environment, cfg config.Config, identity auth.Identity, asJSON bool) error {
	label := identity.Label()
	if asJSON {
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
	_, err := fmt.Fprintf(env.out, "label:   %s\ntyped:   %s\ndevice:  %s\n\nPrint the label and put it on the device: it lets someone at the device pair.\n"+
		"For the broker, have %s signed and put the certificate at\n%s.\n",
		label.Text(), label.TypedText(), identity.DeviceID(),
		filepath.Join(cfg.Device.State, "identity", "device.csr"), certificatePath(cfg))
	return err
}

type factoryRepairCmd struct {
	configFlag
	Yes bool `arg:"--yes" help:"do not ask"`
}

// Run makes the identity whole again, while no camd runs.
func (f factoryRepairCmd) Run(env *environment) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	state, err := holdState(cfg.Device.State)
	if err != nil {
		return err
	}
	defer state.Close() //nolint:errcheck // nothing was written
	r, err := auth.PlanRepair(cfg.Device.State)
	if err != nil {
		return err
	}
	if len(r.Damage) == 0 {
		_, err := fmt.Fprintln(env.out, "The identity is whole; nothing was done.")
		return err
	}
	for _, d := range r.Damage {
		file, _, _ := strings.Cut(d, ": ")
		fmt.Fprintln(env.out, file+".")
	}
	fmt.Fprintln(env.out, whatIsLost(r))
	if !f.Yes && !typed(env, "repair") {
		return errors.New("nothing was done")
	}
	identity, err := r.Do()
	if err != nil {
		return err
	}
	if !r.NewLabel {
		_, err := fmt.Fprintln(env.out, "Done. Nothing else has to be done.")
		return err
	}
	return printIdentity(env, cfg, identity, false)
}

// whatIsLost tells a person what a repair means.
func whatIsLost(r *auth.Repair) string {
	switch {
	case r.NewDevice:
		return "The camera's key or its identifier is lost, so it becomes another device: it gets a new identifier and a new label, " +
			"which must replace the one on the housing; the broker's operator has to sign a new certificate; and everyone has to pair again. " +
			"A backup of the folder identity, if there is one, is the better way. What is there now is kept beside it."
	case r.NewLabel:
		return "The label's secret is lost: a new label must replace the one on the housing, which lets nobody pair any more. Members stay."
	}
	return "Nothing is lost: it follows from the camera's key."
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
