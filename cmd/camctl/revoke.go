package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

type revokeCmd struct {
	adminFlag
	KeepGuests bool   `arg:"--keep-guests" help:"make the guests of the member yours, instead of removing them too"`
	Name       string `arg:"positional,required" help:"the member's name, or the name of its key" placeholder:"NAME"`
	Camera     string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run removes a member. It returns when the removal is durable and nothing is sent to the
// member any more. Without an answer the request is kept and repeated.
func (r revokeCmd) Run(env *environment) error {
	camera, err := env.dial(r.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	if err := camera.PinCheckpoint(); err != nil {
		return err
	}
	members, err := camera.Members(env.ctx)
	if err != nil {
		return err
	}
	who, err := member(members, r.Name)
	if err != nil {
		return err
	}
	var answer proto.RevokeAnswer
	what := proto.Revoke{Client: who, KeepGuests: r.KeepGuests}
	if err := camera.change(proto.OpRevoke, what, func() (err error) { answer, err = camera.Revoke(env.ctx, what); return err }); err != nil {
		return err
	}
	var left error // of logins at the broker
	if r.BrokerAdmin != "" && len(answer.Revoked) > 0 {
		if left = r.removeAll(env.ctx, answer.Revoked, camera.Record().Device); left != nil {
			left = home.NewProblem(left, "The login at the broker is still there: %s", left)
		}
	}
	removed := r.BrokerAdmin != "" && left == nil
	return errors.Join(env.Print(answer, "%s", command.Lines(revokedText(answer, members, removed))), left)
}

// member finds one by name, as the camera tells names apart, or by its key's name, which
// need not be listed: a guest may leave.
func member(members []proto.Member, which string) (proto.ClientID, error) {
	var hits []proto.ClientID
	for _, m := range members {
		if naming.Same(m.Name, which) || string(m.Client) == which || len(which) >= 8 && strings.HasPrefix(string(m.Client), which) {
			hits = append(hits, m.Client)
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) == 0 && proto.ClientID(which).Valid():
		return proto.ClientID(which), nil
	case len(hits) == 0:
		return "", fmt.Errorf("no member is called %q; camctl members lists them", which)
	}
	return "", fmt.Errorf("%q fits several members; use the name of the key, from camctl --json members", which)
}

// revokedText says who was removed. With logins, so were their logins with a password at the
// broker.
func revokedText(a proto.RevokeAnswer, members []proto.Member, logins bool) string {
	if len(a.Revoked) == 0 {
		return "That was no member any more. Nothing was changed."
	}
	text := listed(a.Revoked, members) + map[bool]string{true: " is", false: " are"}[len(a.Revoked) == 1] +
		" removed: nothing of picture or sound goes there any more."
	if len(a.Kept) > 0 {
		text += " Now your guests: " + listed(a.Kept, members) + "."
	}
	if logins {
		text += "\nThe login with a password at the broker is removed, too. If a certificate was made for it, have the operator end that"
	} else {
		text += "\nThe login at the broker is another matter: have its operator end it, or name its administration login with --broker-admin"
	}
	for _, id := range a.Revoked {
		if !id.Valid() { // nobody is to paste what a camera makes up
			continue
		}
		text += "\n   camops pki remove -- " + string(id)
	}
	return text
}

// listed returns the names of members, or the beginning of the key's name where there is none.
func listed(l []proto.ClientID, members []proto.Member) string {
	names := make([]string, len(l))
	for i, id := range l {
		names[i] = foreign.Line(string(id))
		if n := slices.IndexFunc(members, func(m proto.Member) bool { return m.Client == id }); n >= 0 {
			names[i] = foreign.Line(members[n].Name)
		}
	}
	return strings.Join(names, ", ")
}
