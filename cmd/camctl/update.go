package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
)

type updateCmd struct {
	Do     proto.UpdateDo `arg:"positional" help:"status, check (look for a release now), install (now, whoever watches) or postpone" default:"status" placeholder:"status|check|install|postpone"`
	Camera string         `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	Until  string         `arg:"--until" help:"postpone: until when, in the household's time zone, such as '2026-12-03 12:00'; without it the update is not put off any more" placeholder:"TIME"`
}

// Run asks the camera, and prints how its update stands then.
func (u updateCmd) Run(env *environment) error {
	if !slices.Contains([]proto.UpdateDo{proto.UpdateDoStatus, proto.UpdateDoCheck, proto.UpdateDoInstall, proto.UpdateDoPostpone}, u.Do) {
		return command.Usage(fmt.Sprintf("update is status, check, install or postpone, not %q", u.Do))
	}
	if u.Until != "" && u.Do != proto.UpdateDoPostpone {
		return command.Usage("--until is for update postpone")
	}
	camera, err := env.dial(u.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	q := proto.UpdateRequest{Do: u.Do}
	loc := time.Local
	if u.Until != "" {
		s, err := camera.Settings(env.ctx)
		if err != nil {
			return err
		}
		if loc, err = schedule.Zone(s.TimeZone); err != nil { // the camera uses UTC then
			loc = time.UTC
		}
		if q.Until, err = parseTime("--until", u.Until, loc); err != nil {
			return err
		}
		if q.Until <= time.Now().Unix() {
			return command.Usage("--until is over already")
		}
	}
	now, err := camera.Update(env.ctx, q)
	if err != nil {
		return err
	}
	return env.Print(now, "%s", command.Lines(updateText(now, loc)))
}

func updateText(s proto.UpdateStatus, loc *time.Location) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range proto.UpdateRows(s, loc) {
		_, _ = fmt.Fprintln(w, columns(row[:]...)) // into memory
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}
