package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/proto"
)

type statusCmd struct {
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run asks and prints.
func (s statusCmd) Run(env *environment) error {
	camera, err := env.dial(s.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	answer, err := camera.Call(env.ctx, proto.OpStatus, "", nil)
	if err != nil {
		return err
	}
	var status proto.StatusAnswer
	if err := json.Unmarshal(answer.Body, &status); err != nil {
		return fmt.Errorf("the camera's answer can't be read: %w", err)
	}
	return env.Print(status, "%s", command.Lines(statusText(status)))
}

func statusText(s proto.StatusAnswer) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(l ...string) { _, _ = fmt.Fprintln(w, columns(l...)) } // into memory
	row("camera", strings.TrimSpace(s.Name+" "+string(s.Device)))
	row("software", s.Version+", running for "+(time.Duration(s.Uptime)*time.Second).String())
	row("identity", proto.IdentityWords(s.Identity))
	for _, c := range s.Conditions {
		row(c.Name, c.State+" since "+clock(c.Since), c.Reason)
	}
	if s.Update != nil {
		row("update", proto.UpdateWords(*s.Update, time.Local))
	}
	if s.Certificate != nil {
		row("certificate", proto.CertificateWords(*s.Certificate, time.Now()))
	}
	for _, v := range s.Sessions {
		row("watching", v.Name+" since "+clock(v.Since), scopes(v.Scopes))
	}
	if len(s.Sessions) == 0 {
		row("watching", "nobody")
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}
