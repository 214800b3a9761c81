package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// statusCmd prints the running camd's status.
type statusCmd struct {
	localFlags
	jsonFlag
}

// Run prints it.
func (s statusCmd) Run(env *environment) error {
	a, err := s.ask(adminRequest{Cmd: "status"})
	if err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(env.out).Encode(a.Status)
	}
	return printStatus(env.out, a.Status)
}

func printStatus(out io.Writer, s *proto.StatusAnswer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "device\t%s (%s)\n", s.Device, foreign.Line(s.Name))
	fmt.Fprintf(w, "version\t%s, up %v\n", s.Version, time.Duration(s.Uptime)*time.Second)
	fmt.Fprintf(w, "identity\t%s\n", proto.IdentityWords(s.Identity))
	for _, c := range s.Conditions {
		fmt.Fprintf(w, "%s\t%s since %s\t%s\n", foreign.Line(c.Name), c.State, time.Unix(c.Since, 0).Format(time.DateTime), foreign.Line(c.Reason))
	}
	if s.Update != nil {
		fmt.Fprintf(w, "update\t%s\n", foreign.Line(proto.UpdateWords(*s.Update, time.Local)))
	}
	if s.Certificate != nil {
		fmt.Fprintf(w, "certificate\t%s\n", foreign.Line(proto.CertificateWords(*s.Certificate, time.Now())))
	}
	for _, v := range s.Sessions {
		fmt.Fprintf(w, "watching\t%s since %s\t%s\n", foreign.Line(v.Name), time.Unix(v.Since, 0).Format(time.DateTime), list(v.Scopes))
	}
	return w.Flush()
}

type updateCmd struct {
	localFlags
	jsonFlag
	Do proto.UpdateDo `arg:"positional" help:"status, check or install" default:"status" placeholder:"status|check|install"`
}

// Run asks the running camd, and prints how its update stands.
func (c updateCmd) Run(env *environment) error {
	if !slices.Contains([]proto.UpdateDo{proto.UpdateDoStatus, proto.UpdateDoCheck, proto.UpdateDoInstall}, c.Do) {
		return &codedError{2, fmt.Errorf("update is status, check or install, not %q", c.Do)}
	}
	a, err := c.ask(adminRequest{Cmd: "update", Do: c.Do})
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
