package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// endCmd is what the two commands share that remove everyone.
type endCmd struct {
	localFlags
	Yes bool `arg:"--yes" help:"do not ask"`
}

type evictCmd struct{ endCmd }

// Run removes everyone.
func (c evictCmd) Run(env *environment) error {
	return c.end(env, "evict", "This removes everyone from the camera: owners, adults and guests. Broker and settings stay.")
}

type resetCmd struct{ endCmd }

// Run removes everyone and wipes the storage.
func (c resetCmd) Run(env *environment) error {
	return c.end(env, "reset", "This removes everyone and wipes members, settings and the access log.")
}

func (c endCmd) end(env *environment, cmd, what string) error {
	if _, err := c.load(); err != nil {
		return err
	}
	fmt.Fprintln(env.out, what)
	if !c.Yes && !typed(env, cmd) {
		return errors.New("nothing was done")
	}
	conn, err := c.dial(env.ctx) // Ctrl-C closes it, which stops the countdown
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing to lose
	if err := json.NewEncoder(conn).Encode(adminRequest{Cmd: cmd}); err != nil {
		return errors.New("camd hung up; look at its log")
	}
	answers := json.NewDecoder(conn)
	for {
		var a adminAnswer
		switch err := answers.Decode(&a); {
		case env.ctx.Err() != nil:
			return errors.New("cancelled: nothing was done")
		case err != nil:
			return errors.New("camd hung up; look at its log")
		case !a.OK:
			return errors.New(a.Error)
		case a.Seconds == 0:
			_, err := fmt.Fprintln(env.out, "Done. The camera belongs to nobody now. Pair an owner with camd pair.\nThe logins at the broker are another matter: have its operator end them, with camops pki remove.")
			return err
		}
		fmt.Fprintf(env.out, "in %d s (Ctrl-C stops it)\n", a.Seconds)
	}
}
