package main

import (
	"fmt"
)

type addCmd struct {
	loginFlags
	Name string `arg:"--name" help:"what to call the camera, if not as the card says"`
	Yes  bool   `arg:"--yes" help:"the words were compared: do not ask"`
	Card string `arg:"positional,required" help:"the camera card, such as anna.card" placeholder:"CARD"`
}

// Run opens a camera card and keeps what it says once the person has compared the
// words of whoever made it.
func (a addCmd) Run(env *environment) error {
	login, err := a.login()
	if err != nil {
		return err
	}
	card, err := readSmall(a.Card)
	if err != nil {
		return err
	}
	home, err := env.home()
	if err != nil {
		return err
	}
	keys, err := home.Keys()
	if err != nil {
		return err
	}
	invited, err := home.OpenCard(card, keys)
	if err != nil {
		return err
	}
	r := invited.Record
	r.Broker = over(login, r.Broker)
	if a.Name != "" {
		r.Name = a.Name
	}
	if !a.Yes {
		_, _ = fmt.Fprintf(env.errOut, "This card for the camera %s was made by %s, whose key has the words\n\n   %s\n\nThey must be those that camctl id shows there.\n",
			plain(r.Title()), plain(invited.By), words(invited.Signer))
		if err := env.confirm("Are they the same?"); err != nil {
			return err
		}
	}
	if err := home.Save(r); err != nil {
		return err
	}
	return env.print(map[string]any{"device": r.Device, "name": r.Name, "role": r.Role, "member": r.Member, "broker": r.Broker.URL,
		"by": invited.By, "words": words(invited.Signer)},
		"Added the camera %s. There you are %s (%s), let in by %s. Its broker is %s.", plain(r.Title()), plain(r.Member), r.Role, plain(invited.By), r.Broker.URL)
}
