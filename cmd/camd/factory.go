package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

type factoryCmd struct {
	Init   *factoryInitCmd   `arg:"subcommand:init" help:"make this device's identity and label secret, once, and print the label"`
	Repair *factoryRepairCmd `arg:"subcommand:repair" help:"repair a damaged identity, after saying what is lost"`
}

// tpmFlag says where a new identity key lies.
type tpmFlag struct {
	TPM identity.TPMUse `arg:"--tpm" help:"where a new identity key lies: auto is in the TPM 2.0 where there is one, require nowhere else, off in a file" default:"auto" placeholder:"USE"`
}

func (f tpmFlag) of(cfg config.Config) identity.TPM {
	return identity.TPM{Path: cfg.Device.TPM, Use: f.TPM}
}

type factoryInitCmd struct {
	configFlag
	tpmFlag
	JSON   bool   `arg:"--json" help:"print the factory record, which is JSON"`
	Record string `arg:"--record" help:"write the factory record, for label printer and operator; of the identity that there is, if it was made before" placeholder:"FILE"`
}

// Run makes the identity. It makes no second one: the label on the housing would no
// longer fit. With a record, which may be lost on the line when the power goes, it can be
// run again.
func (f factoryInitCmd) Run(env *environment) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	id, made, err := f.identity(cfg)
	if err != nil {
		return err
	}
	if f.Record != "" {
		if err := writeRecord(f.Record, cfg, id); err != nil {
			return err
		}
	}
	switch {
	case f.JSON:
		text, err := encodeRecord(cfg, id)
		if err == nil {
			_, err = env.out.Write(text)
		}
		return err
	case !made:
		_, err = fmt.Fprintf(env.out, "This device has its identity already, and keeps it. ")
	default:
		err = printIdentity(env.out, cfg, id)
	}
	if err == nil && f.Record != "" {
		_, err = fmt.Fprintf(env.out, "The record is %s. It holds the label's secret: guard it like the label.\n", f.Record)
	}
	return err
}

// identity makes the identity, or, for its record, returns the one that there is.
func (f factoryInitCmd) identity(cfg config.Config) (id *identity.Identity, made bool, err error) {
	id, err = identity.Init(cfg.Device.State, f.of(cfg))
	if !errors.Is(err, identity.ErrExists) {
		return id, err == nil, err
	}
	if f.Record == "" {
		return nil, false, fmt.Errorf("this device has its identity already, in %s; its label stays as it is", filepath.Join(cfg.Device.State, "identity"))
	}
	id, err = identity.Load(cfg.Device.State, cfg.Device.TPM)
	if err == nil && f.TPM == identity.TPMRequire && id.Class() != proto.ClassTPM {
		return nil, false, errors.New("this device has its identity already, and its key is a file, not in a TPM as --tpm require asks")
	}
	return id, false, err
}

// encodeRecord returns the device's record.
func encodeRecord(cfg config.Config, id *identity.Identity) ([]byte, error) {
	r, err := id.Record(cfg.Device.State, version)
	if err != nil {
		return nil, err
	}
	return r.Encode()
}

// writeRecord writes the device's record, and never over another device's.
func writeRecord(path string, cfg config.Config, id *identity.Identity) error {
	text, err := encodeRecord(cfg, id)
	if err != nil {
		return err
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s is no file; --json prints the record", path)
	}
	if there, err := os.ReadFile(path); err == nil {
		if old, err := record.Parse(there); err != nil || old.Label.Device != id.DeviceID() {
			return fmt.Errorf("%s is there already, and is not this device's record; name another file", path)
		}
	}
	return store.WriteFile(path, text)
}

// printIdentity prints the label and what to do with it.
func printIdentity(out io.Writer, cfg config.Config, id *identity.Identity) error {
	label := id.Label()
	if err := command.PrintQR(out, label.Text()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "label:   %s\ntyped:   %s\ndevice:  %s, %s\n\nPrint the label and put it on the device: it lets someone at the device pair.\n"+
		"If its owner runs the broker, camctl pair does the rest. If an operator does, have\n%s signed and put the certificate at\n%s.\n",
		label.Text(), label.TypedText(), id.DeviceID(), proto.IdentityWords(id.Class()),
		filepath.Join(cfg.Device.State, "identity", "device.csr"), certificatePath(cfg))
	return err
}

type factoryRepairCmd struct {
	configFlag
	tpmFlag
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
	r, err := identity.PlanRepair(cfg.Device.State, f.of(cfg))
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
	id, err := r.Do()
	if err != nil {
		return err
	}
	if !r.NewLabel {
		_, err := fmt.Fprintln(env.out, "Done. Nothing else has to be done.")
		return err
	}
	return printIdentity(env.out, cfg, id)
}

// whatIsLost returns what a repair means for people.
func whatIsLost(r *identity.Repair) string {
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

// Run checks one database. The exit code is the result for the parent.
func (s storeCheckCmd) Run(*environment) error {
	if err := store.CheckFile(s.Path); err != nil {
		return &codedError{store.ExitCode(err), err}
	}
	return nil
}
