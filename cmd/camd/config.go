package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/trustedtime"
	"github.com/camd-project/camd/pkg/config"
)

// configFlag is shared by the commands that read the configuration.
type configFlag struct {
	Config string `arg:"-c,--config" help:"configuration file" default:"/etc/camd/camd.toml" placeholder:"FILE"`
}

func (f configFlag) load() (config.Config, error) {
	cfg, err := config.Load(f.Config)
	if err != nil {
		return cfg, err
	}
	return cfg, usablePlaces(cfg)
}

// usablePlaces refuses places that are none, or that would spoil another one.
func usablePlaces(cfg config.Config) error {
	switch d, speaker := cfg.Device, cfg.Audio.SpeakerFile; {
	case d.State == "":
		return errors.New("device.state is empty: name the folder of identity and members, or leave the line out")
	case d.Socket == "" || d.Socket[0] == '@': // Go takes the latter for a name without a file, which nothing guards
		return fmt.Errorf("device.socket is %q: name a file, or leave the line out", d.Socket)
	case speaker != "" && within(d.State, speaker):
		return fmt.Errorf("audio.speaker_file %s lies in the state folder, where sound would spoil what camd keeps: name another place", speaker)
	}
	return nil
}

// within reports whether path lies in folder; the folder itself doesn't.
func within(folder, path string) bool {
	folder, e1 := filepath.Abs(folder)
	path, e2 := filepath.Abs(path)
	rel, e3 := filepath.Rel(folder, path)
	return errors.Join(e1, e2, e3) == nil && rel != "." && filepath.IsLocal(rel)
}

// checkName refuses a camera's name that the household couldn't give it either; without
// one it has none. docs/protocol.md 5.11.
func checkName(name string) error {
	if name == "" {
		return nil
	}
	if err := naming.Check(name); err != nil {
		return fmt.Errorf("name = %q: %w", name, err)
	}
	return nil
}

// inTable makes what a package says of its configuration a usage error.
func inTable(table string, err error) error {
	return &codedError{2, fmt.Errorf("configuration, table [%s]: %s", table, strings.TrimPrefix(err.Error(), table+" configuration: "))}
}

// clockOf returns the wall clock, which also reports whether its time can be trusted.
func clockOf(cfg config.Config) trustedtime.Clock {
	if cfg.Household.Clock == "battery" {
		return func() (time.Time, bool) { return time.Now(), true }
	}
	return kernelClock
}

type configCmd struct{}

// Run prints the example.
func (configCmd) Run(env *environment) error {
	_, err := io.WriteString(env.out, config.Example())
	return err
}
