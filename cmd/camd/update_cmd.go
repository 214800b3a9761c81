package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

type updateCmd struct {
	localCmd
	Do proto.UpdateDo `arg:"positional" help:"status, check or install" default:"status" placeholder:"status|check|install"`
}

// Run asks the running camd, and prints how its update stands.
func (c updateCmd) Run(env *environment) error {
	if !slices.Contains([]proto.UpdateDo{proto.UpdateDoStatus, proto.UpdateDoCheck, proto.UpdateDoInstall}, c.Do) {
		return &codedError{2, fmt.Errorf("update is status, check or install, not %q", c.Do)}
	}
	a, err := c.do(adminRequest{Cmd: "update", Do: c.Do})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.out).Encode(a.Update)
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	for _, row := range proto.UpdateRows(*a.Update, time.Local) {
		fmt.Fprintf(w, "%s\t%s\n", row[0], foreign.Line(row[1]))
	}
	return w.Flush()
}
