package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/store"
)

// What check says of the household's keys, and that it changes none of them.
func TestCheckOfTheKeys(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(state string) error
		want string
	}{
		"none": {func(string) error { return nil }, "ok"},
		"a key of text": {func(state string) error {
			return os.WriteFile(filepath.Join(state, "household/1/sig.key"), []byte(strings.Repeat("x", 240)), 0o600)
		}, "WRONG"},
		"no trio": {func(state string) error { return os.Remove(filepath.Join(state, "household/1/trio")) }, "WRONG"},
		"a short sealing key": {func(state string) error {
			return os.WriteFile(filepath.Join(state, "store/seal.key"), []byte("x"), 0o600)
		}, "WRONG"},
		"no sealing key":      {func(state string) error { return os.Remove(filepath.Join(state, "store/seal.key")) }, "WRONG"},
		"no household so far": {func(state string) error { return os.RemoveAll(filepath.Join(state, "household")) }, "ok"},
	} {
		state := t.TempDir()
		_, err := identity.Init(state, identity.TPM{Use: identity.TPMOff})
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		a, err := auth.Open(t.Context(), auth.Config{State: state, Household: auth.DefaultHousehold(),
			Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}, log, health.NewBoard(log))
		if err == nil {
			err = errors.Join(a.Close(), c.harm(state))
		}
		id, loaded := identity.Load(state, "")
		if err := errors.Join(err, loaded); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)}
		r.keys(config.Config{Device: config.Device{State: state}}, id)
		if err := r.w.Flush(); err != nil {
			t.Fatal(err)
		}
		said := out.String()
		if !strings.HasPrefix(said, "household  "+c.want) || strings.Contains(said, "new epoch") != (c.want == "WRONG") {
			t.Errorf("%s: %q", name, said)
		}
	}
}
