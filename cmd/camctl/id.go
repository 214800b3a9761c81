package main

import (
	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

type idCmd struct{}

// Run shows the client's key: its name, for the broker's operator; the words to
// compare; and the key itself, for the member who adds it, at a terminal also as a QR code.
func (idCmd) Run(env *environment) error {
	_, keys, err := env.keys()
	if err != nil {
		return err
	}
	card, err := keys.Card()
	if err != nil {
		return err
	}
	key := home.FormatKey(card)
	if command.Terminal(env.Out) && !env.JSON {
		if err := command.PrintQR(env.Out, key); err != nil {
			return err
		}
	}
	return env.Print(map[string]any{"client": keys.ID(), "words": words(keys.ID()), "key": key},
		"name:   %s\nwords:  %s\n\n%s", keys.ID(), words(keys.ID()), key)
}

func words(id proto.ClientID) string { return home.Words(id) }
