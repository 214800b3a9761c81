package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/proto"
)

type membersCmd struct {
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run shows the members. A member who may only see and hear sees itself, and who added it.
func (m membersCmd) Run(env *environment) error {
	camera, err := env.dial(m.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	members, err := camera.Members(env.ctx)
	if err != nil {
		return err
	}
	loc, err := camera.Location(env.ctx)
	if err != nil {
		return err
	}
	if env.JSON {
		for _, one := range members {
			if err := env.Print(one, ""); err != nil {
				return err
			}
		}
		return nil
	}
	return env.Print(nil, "%s", command.Lines(membersText(members, loc, env.verbose)))
}

func membersText(members []proto.Member, loc *time.Location, verbose bool) string {
	names := map[proto.ClientID]string{}
	for _, m := range members {
		names[m.Client] = m.Name
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(key string, l ...string) {
		if verbose {
			l = append(l, key)
		}
		_, _ = fmt.Fprintln(w, columns(l...)) // into memory
	}
	row("WORDS OF THE KEY", "NAME", "ROLE", "MAY", "WHEN", "ADDED BY", "NOW")
	for _, m := range members {
		by := m.By
		switch {
		case by == "":
			by = "paired at the camera"
		case names[m.Parent] != "" && names[m.Parent] != m.By:
			by += ", guest of " + names[m.Parent]
		}
		row(words(m.Client), m.Name, string(m.Role), may(m.Scopes), when(m.Weekly, m.From, m.Until, loc), by, now(m))
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// suspensions says in a few words why a member's rights are suspended.
var suspensions = map[proto.Code]string{
	proto.CodeSchedule:  "outside its hours",
	proto.CodeExpired:   "its time is over",
	proto.CodeSuspended: "no owner has used the camera for 30 days",
	proto.CodePrivacy:   "privacy mode is on",
	proto.CodeClock:     "the camera does not know the time",
	proto.CodeStorage:   "the access log can't be written",
}

// now returns whether a member's rights are suspended, or what the member does with them.
func now(m proto.Member) string {
	switch {
	case suspensions[m.Standing] != "":
		return "no access now: " + suspensions[m.Standing]
	case m.Standing != "" && m.Standing != proto.CodeOK:
		return "no access now: " + m.Standing.Sentence()
	case len(m.Watching) > 0:
		return "uses " + scopes(m.Watching)
	}
	return "-"
}
