package main

import (
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/homeserver"
)

// turnCmd makes credentials of a TURN server, so that its secret leaves neither the server nor
// the owner's computer. docs/household.md.
type turnCmd struct {
	Secret string        `arg:"--secret-file,required" help:"file with the server's secret, static-auth-secret of coturn" placeholder:"FILE"`
	Host   string        `arg:"--host,required" help:"name of the server" placeholder:"HOSTNAME"`
	Last   time.Duration `arg:"--last" help:"for how long they are good, such as 12h; a session ends with them" default:"12h" placeholder:"TIME"`
	Name   string        `arg:"positional,required" help:"who gets them, such as anna or the camera's name; the server's log names it" placeholder:"NAME"`
}

// maxCredentials is for how long credentials are good at most.
const maxCredentials = 366 * 24 * time.Hour

// Run prints the credentials.
func (t turnCmd) Run(env *environment) error {
	if t.Last < time.Minute || t.Last > maxCredentials {
		return command.Usage("--last is from 1m to 8784h, which is a year")
	}
	secret, err := homeserver.ReadSecret(t.Secret)
	if err != nil {
		return err
	}
	until := time.Now().Add(t.Last)
	c, err := homeserver.NewCredentials(secret, t.Host, t.Name, until)
	if err != nil {
		return err
	}
	return env.Print(c, "These credentials are good until %s, at %s and %s:\n   username = %q\n   credential = %q",
		clock(until.Unix()), c.URLs[0], c.URLs[1], c.UserName, c.Credential)
}
