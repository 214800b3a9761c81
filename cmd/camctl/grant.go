package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

type grantCmd struct {
	loginFlags
	adminFlag
	To     string     `arg:"--to" help:"the key of the new member (required), as camctl id prints it, or a file with it" placeholder:"KEY|FILE"`
	Name   string     `arg:"--name" help:"what the household calls who holds it (required)"`
	Role   proto.Role `arg:"--role" help:"owner, adult or guest" default:"guest"`
	Scopes string     `arg:"--scopes" help:"what it may do, such as view,listen (default: what goes with the role)" placeholder:"LIST"`
	From   string     `arg:"--from" help:"from when on: 2026-12-03 12:00 in the household's time zone, or RFC 3339" placeholder:"TIME"`
	Until  string     `arg:"--until" help:"until when, in the same form" placeholder:"TIME"`
	Weekly string     `arg:"--weekly" help:"hours of the week, such as Mo-Fr 08:00-17:00, in the household's time zone" placeholder:"HOURS"`
	Card   string     `arg:"--card" help:"file to make for the new member: the camera card, which only that key can open. The flags for the broker are its login" placeholder:"FILE"`
	Yes    bool       `arg:"--yes" help:"the words were compared: do not ask"`
	Camera string     `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// granted is what came of it.
type granted struct {
	Client proto.ClientID `json:"client"`
	Words  string         `json:"words"`
	Card   string         `json:"card,omitempty"`
	When   string         `json:"when,omitempty"` // in words; empty: always

	Standing proto.Code `json:"standing,omitempty"` // clock_unknown: the camera can't go by these times yet
}

// hours are the times of a grant as the household's clock will count them.
type hours struct {
	text string // empty: always
	utc  bool   // they were written without a zone, and the household's is UTC
}

// Run adds a member by its key and writes the camera card for it.
func (g grantCmd) Run(env *environment) error {
	grant, err := g.grant()
	if err != nil {
		return err
	}
	to, card, err := readKey(g.To)
	if err != nil {
		return err
	}
	grant.Card = string(card)
	switch flags := g.loginFlags != (loginFlags{}); {
	case g.Card == "" && (flags || g.BrokerAdmin != ""):
		return command.Usage("what is said for the broker goes into the camera card: name it with --card")
	case flags && g.BrokerAdmin != "":
		return command.Usage("--broker-admin makes the login at the broker: name none by other flags")
	}
	login, err := g.loginFlags.login()
	if err != nil {
		return err
	}
	camera, err := env.dial(g.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	if err := camera.PinCheckpoint(); err != nil { // what is looked up from here on the person has not seen
		return err
	}
	h, err := g.times(env.ctx, camera.Camera, &grant)
	if err != nil {
		return err
	}
	if err := g.compared(env, to.ClientID(), h); err != nil {
		return err
	}
	if g.BrokerAdmin == "" {
		return g.carryOut(env, camera, grant, h, to, login, nil)
	}
	logins, err := g.dial(env.ctx) // before the grant: what is wrong with the login is said first
	if err != nil {
		return err
	}
	defer logins.Close()
	return g.carryOut(env, camera, grant, h, to, logins.NewLogin(to.ClientID(), camera.Record().Device), logins)
}

// carryOut makes the grant, then the login at the broker if logins is not nil, and then the card.
func (g grantCmd) carryOut(env *environment, camera *connection, grant proto.Grant, h hours, to envelope.PublicKey, login home.Broker, logins *broker.Logins) error {
	sealed, err := camera.Record().Card(camera.Keys(), to, grant.Name, grant.Role, login)
	if err != nil {
		return err
	}
	if err := camera.change(proto.OpGrant, grant, func() error { _, err := camera.Grant(env.ctx, grant); return err }); err != nil {
		return err
	}
	if logins != nil {
		if err := logins.Add(env.ctx, login, to.ClientID(), camera.Record().Device); err != nil {
			return fmt.Errorf("%s is a member now, but has no login at the broker yet, and the camera card is not written: %w Run the command again", grant.Name, err)
		}
	}
	done := granted{Client: to.ClientID(), Words: words(to.ClientID()), Card: g.Card, When: h.text}
	text := "%s is a member now (%s) and may: %s."
	if h.text != "" {
		text += " When: " + strings.ReplaceAll(h.text, "%", "%%") + "."
		// Whether the camera trusts its clock is not said if it can't be asked: the grant is made.
		l, err := camera.Members(env.ctx)
		i := slices.IndexFunc(l, func(m proto.Member) bool { return m.Client == done.Client })
		if err == nil && i >= 0 && l[i].Standing == proto.CodeClock {
			done.Standing = proto.CodeClock
			text += " " + noClock
		}
	}
	if g.Card == "" {
		return env.Print(done, text, grant.Name, grant.Role, may(grant.Scopes))
	}
	if err := writeNew(g.Card, append(sealed, '\n')); err != nil {
		return fmt.Errorf("%s is a member now, but the camera card can't be written: %w. Run the command again with another --card", grant.Name, home.WithoutPath(err))
	}
	text += " The camera card is in %s. It is for this key only: hand it over, for camctl add or the page."
	if login.Certificate == "" && login.User == "" {
		text += " It brings no login at the broker: have its operator make one, unless there is one already."
	}
	return env.Print(done, text,
		grant.Name, grant.Role, may(grant.Scopes), g.Card)
}

// noClock is what a person should know who gives somebody hours.
const noClock = "The camera can't tell yet what time it is, and refuses them until it can: it needs a time server that it reaches, and camd check at the camera says what it has."

// compared makes sure that the key is the one that was meant.
func (g grantCmd) compared(env *environment, id proto.ClientID, h hours) error {
	if g.Yes {
		if h.utc {
			_, _ = fmt.Fprintln(env.ErrOut, "camctl: "+inUTC("These hours"))
		}
		return nil
	}
	if h.text != "" {
		_, _ = fmt.Fprintf(env.ErrOut, "%s will have access %s.\n", g.Name, h.text)
	}
	_, _ = fmt.Fprintf(env.ErrOut, "The words of this key are\n\n   %s\n\nThey must be those that camctl id shows to %s.\n", words(id), g.Name)
	if h.utc {
		return env.confirm(inUTC("These hours") + " Are the words the same, and the hours meant so?")
	}
	return env.confirm("Are they the same?")
}

// grant reads all but the key and the times.
func (g grantCmd) grant() (proto.Grant, error) {
	p := proto.Grant{Name: g.Name, Role: g.Role, Scopes: g.Role.Preset(), Weekly: g.Weekly}
	switch {
	case g.To == "":
		return p, command.Usage("--to is required")
	case g.Name == "":
		return p, command.Usage("--name is required")
	case naming.Check(g.Name) != nil:
		return p, command.Usage("--name: " + naming.Check(g.Name).Error())
	case p.Scopes == nil:
		return p, command.Usage(fmt.Sprintf("--role is owner, adult or guest, not %q", g.Role))
	case g.Role == proto.RoleOwner && (g.Scopes != "" || g.From != "" || g.Until != "" || g.Weekly != ""):
		return p, command.Usage("an owner may do everything, always: --scopes, --from, --until and --weekly are for adults and guests")
	}
	if g.Weekly != "" {
		w, err := schedule.Parse(g.Weekly)
		if err != nil {
			return p, command.Usage("--weekly: " + err.Error())
		}
		p.Weekly = w.String()
	}
	if g.Scopes != "" {
		var err error
		if p.Scopes, err = parseScopes(g.Scopes, g.Role); err != nil {
			return p, err
		}
	}
	if _, err := os.Lstat(g.Card); g.Card != "" && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("%s is there already; nothing was done. Name another file with --card", g.Card)
	}
	return p, nil
}

func parseScopes(list string, role proto.Role) (l []proto.Scope, err error) {
	for name := range strings.SplitSeq(list, ",") {
		s := proto.Scope(strings.TrimSpace(name))
		switch {
		case !slices.Contains(proto.OwnerScopes(), s):
			return nil, command.Usage(fmt.Sprintf("there is no scope %q; there are %s", s, scopes(proto.OwnerScopes())))
		case !slices.Contains(role.Most(), s):
			return nil, command.Usage(fmt.Sprintf("someone who is %s can't be given %s, at most %s", article(role), s, scopes(role.Most())))
		case !slices.Contains(l, s):
			l = append(l, s)
		}
	}
	return l, nil
}

func article(r proto.Role) string {
	if r == proto.RoleGuest {
		return "a guest"
	}
	return "an " + string(r)
}

// times reads what depends on the household's time zone.
func (g grantCmd) times(ctx context.Context, camera *client.Camera, into *proto.Grant) (hours, error) {
	if g.From == "" && g.Until == "" && g.Weekly == "" {
		return hours{}, nil
	}
	loc, err := camera.Location(ctx)
	if err != nil {
		return hours{}, err
	}
	if into.From, err = parseTime("--from", g.From, loc); err != nil {
		return hours{}, err
	}
	if into.Until, err = parseTime("--until", g.Until, loc); err != nil {
		return hours{}, err
	}
	if into.Until != 0 && into.Until <= max(into.From, time.Now().Unix()) {
		return hours{}, command.Usage("--until is over already, or not after --from")
	}
	h := hours{text: when(into.Weekly, into.From, into.Until, loc) + ", by the clock of " + loc.String()}
	h.utc = loc.String() == "UTC" && (g.Weekly != "" || zoneless(g.From) || zoneless(g.Until))
	return h, nil
}

// readKey takes a key as text, or out of a file, such as one with what camctl id printed.
func readKey(text string) (envelope.PublicKey, []byte, error) {
	if st, err := os.Stat(text); err == nil && st.Mode().IsRegular() {
		data, err := readSmall(text)
		if err != nil {
			return envelope.PublicKey{}, nil, err
		}
		text = string(data)
	}
	switch i := strings.Index(text, keyMark); {
	case i > 0:
		text = text[i:]
	case i < 0 && strings.ContainsAny(text, "./") && !strings.ContainsAny(text, " \n"):
		_, err := readSmall(text) // the name of a file, which is no key either
		if err == nil {
			err = fmt.Errorf("%s is no file with a key: name one with what camctl id printed", text)
		}
		return envelope.PublicKey{}, nil, err
	}
	return home.ParseKey(text)
}

// keyMark is where a key begins among other text. docs/protocol.md 2.9.
const keyMark = "CAMD-KEY:"
