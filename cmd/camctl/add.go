package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/foreign"
)

type addCmd struct {
	loginFlags
	Name string `arg:"--name" help:"what to call the camera, if not as the card says"`
	Yes  bool   `arg:"--yes" help:"the words were compared: do not ask"`
	Card string `arg:"positional,required" help:"the camera card: a file such as anna.card, or the link that the page makes" placeholder:"CARD"`
}

// Run opens a camera card and keeps what it says once the person has compared the words of
// the member who made it.
func (a addCmd) Run(env *environment) error {
	login, err := a.login()
	if err != nil {
		return err
	}
	card, err := readCard(a.Card)
	if err != nil {
		return err
	}
	h, keys, err := env.keys()
	if err != nil {
		return err
	}
	invited, err := h.OpenCard(card, keys)
	if err != nil {
		return err
	}
	r := invited.Record
	r.Broker = over(login, r.Broker)
	if a.Name != "" {
		r.Name = a.Name
	}
	if invited.Known != nil { // a card need not bring a login
		r.Broker = r.Broker.WithLogin(invited.Known.Broker)
	}
	if err := r.Broker.CheckFor(keys.ID()); err != nil {
		return err
	}
	invited.Record = r
	changed := replaced(invited)
	if err := a.compared(env, invited, changed); err != nil {
		return err
	}
	if err := h.Save(r); err != nil {
		return err
	}
	return env.Print(map[string]any{"device": r.Device, "name": r.Name, "role": r.Role, "member": r.Member, "broker": r.Broker.URL,
		"by": invited.By, "words": words(invited.Signer), "replaced": changed},
		"Added the camera %s. There you are %s (%s), added by %s. Its broker is %s.", foreign.Line(r.Title()), foreign.Line(r.Member), r.Role, foreign.Line(invited.By), r.Broker.URL)
}

// compared asks the person whether the card is from the member whom they know, and whether
// it may replace what it does.
func (a addCmd) compared(env *environment, i home.Invitation, changed []change) error {
	question := "Are they the same?"
	if i.Known != nil {
		_, _ = fmt.Fprintf(env.ErrOut, "The camera %s is known already. By this card\n", foreign.Line(i.Known.Title()))
		for _, c := range changed {
			_, _ = fmt.Fprintf(env.ErrOut, "   %s: %s, so far %s\n", c.What, foreign.Line(c.To), foreign.Line(c.From))
		}
		question = "Are they the same, and is that to be changed?"
		if len(changed) == 0 {
			_, _ = fmt.Fprintln(env.ErrOut, "   nothing changes")
			question = "Are they the same?"
		}
	}
	if a.Yes {
		return nil
	}
	_, _ = fmt.Fprintf(env.ErrOut, "This card for the camera %s was made by %s, whose key has the words\n\n   %s\n\nOn that member's computer, camctl id must show the same words.\n",
		foreign.Line(i.Record.Title()), foreign.Line(i.By), words(i.Signer))
	return env.confirm(question)
}

// change is a difference between a card and what the home has.
type change struct {
	What string `json:"what"`
	From string `json:"from"`
	To   string `json:"to"`
}

// replaced lists what is changed of a camera that is known already.
func replaced(i home.Invitation) (l []change) {
	if i.Known == nil {
		return nil
	}
	from, to := *i.Known, i.Record
	for _, c := range []change{
		{"camera", from.Title(), to.Title()},
		{"you", fmt.Sprintf("%s (%s)", from.Member, from.Role), fmt.Sprintf("%s (%s)", to.Member, to.Role)},
		{"household", epoch(from), epoch(to)},
		{"broker", from.Broker.URL, to.Broker.URL},
	} {
		if c.From != c.To {
			l = append(l, c)
		}
	}
	from.Broker.URL, from.Broker.Said = to.Broker.URL, to.Broker.Said
	if from.Broker != to.Broker {
		l = append(l, change{"login and certificates at the broker", "others", "those of the card and of the flags"})
	}
	return l
}

func epoch(r home.Record) string { return fmt.Sprintf("epoch %d", r.Epoch) }

// cardLink comes before the camera card in a link to the page.
const cardLink = "#card="

// readCard reads a camera card from a file, or from the link that the page makes of it,
// which may be in the file, too.
func readCard(arg string) ([]byte, error) {
	if _, card, ok := strings.Cut(arg, cardLink); ok {
		return []byte(card), nil
	}
	data, err := readSmall(arg)
	if _, card, ok := bytes.Cut(data, []byte(cardLink)); ok {
		return card, nil
	}
	return data, err
}
