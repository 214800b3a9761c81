package main

import "fmt"

type talkCmd struct {
	localFlags
	What string `arg:"positional,required" help:"accept or end" placeholder:"accept|end"`
}

// Run does what a press of the button would.
func (c talkCmd) Run(env *environment) error {
	said, ok := map[string]string{
		"accept": "The request to speak is accepted.",
		"end":    "The talk is ended. Nobody may speak through the camera for ten minutes.",
	}[c.What]
	if !ok {
		return &codedError{2, fmt.Errorf("talk is accept or end, not %q", c.What)}
	}
	if _, err := c.ask(adminRequest{Cmd: "talk", Press: c.What}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, said)
	return err
}

type ringCmd struct{ localFlags }

// Run rings the bell.
func (c ringCmd) Run(env *environment) error {
	if _, err := c.ask(adminRequest{Cmd: "ring"}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, "The bell rings.")
	return err
}
