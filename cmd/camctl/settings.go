package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
)

type privacyCmd struct {
	To     string `arg:"positional,required" help:"on or off" placeholder:"on|off"`
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run switches privacy mode. Any member may switch it on; off is at the camera only
// unless the household chose otherwise there.
func (p privacyCmd) Run(env *environment) error {
	if p.To != "on" && p.To != "off" {
		return command.Usage(fmt.Sprintf("privacy is on or off, not %q", p.To))
	}
	camera, err := env.dial(p.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	var now proto.Privacy
	on := p.To == "on"
	if err := camera.change(proto.OpPrivacy, proto.Privacy{On: on}, func() (err error) { now, err = camera.Privacy(env.ctx, on); return err }); err != nil {
		return err
	}
	return env.Print(now, "%s", privacyText(now.On))
}

func privacyText(on bool) string {
	if on {
		return "Privacy mode is on: the camera sees and hears nothing."
	}
	return "Privacy mode is off: members can see and hear again."
}

type settingsCmd struct {
	Name        *string `arg:"--name" help:"what members see as the camera's name"`
	TimeZone    *string `arg:"--time-zone" help:"time zone of schedules and quiet hours, such as Europe/Berlin" placeholder:"ZONE"`
	QuietHours  *string `arg:"--quiet-hours" help:"when nobody may speak through the camera, such as 22:00-07:00; empty is never" placeholder:"TIMES"`
	Talk        *string `arg:"--talk" help:"announced, or accepted: someone in the room has to press the button first" placeholder:"HOW"`
	UpdateHours *string `arg:"--update-hours" help:"when the camera may restart for an update by itself, such as 'Mo-Fr 02:00-05:00'; empty is whenever nobody watches" placeholder:"TIMES"`
	PrivacyOff  *string `arg:"--privacy-off" help:"who may switch privacy mode off: device, or members (which only someone at the camera can choose)" placeholder:"WHO"`
	Push        *string `arg:"--push" help:"on has the camera send sealed notices of rings, new members and alarms to browsers through their push services; off" placeholder:"HOW"`
	Camera      string  `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run changes what was named, or shows what is.
func (s settingsCmd) Run(env *environment) error {
	change, err := s.change()
	if err != nil {
		return err
	}
	camera, err := env.dial(s.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	var now proto.Settings
	if change == (proto.SettingsChange{}) {
		now, err = camera.Settings(env.ctx)
	} else {
		err = camera.change(proto.OpSetSettings, change, func() (err error) { now, err = camera.SetSettings(env.ctx, change); return err })
	}
	if err != nil {
		return err
	}
	for name, hours := range map[string]*string{"Quiet hours": s.QuietHours, "Update hours": s.UpdateHours} {
		if hours != nil && *hours != "" && now.TimeZone == "UTC" {
			env.Note("camctl: %s", inUTC(name))
		}
	}
	return env.Print(now, "%s", command.Lines(settingsText(now)))
}

func (s settingsCmd) change() (proto.SettingsChange, error) {
	if s.PrivacyOff != nil && *s.PrivacyOff != proto.PrivacyOffDevice && *s.PrivacyOff != proto.PrivacyOffMembers {
		return proto.SettingsChange{}, command.Usage("--privacy-off is device or members")
	}
	if s.Talk != nil && *s.Talk != proto.TalkAnnounced && *s.Talk != proto.TalkAccepted {
		return proto.SettingsChange{}, command.Usage("--talk is announced or accepted")
	}
	if s.Push != nil && *s.Push != proto.PushOff && *s.Push != proto.PushOn {
		return proto.SettingsChange{}, command.Usage("--push is on or off")
	}
	if s.QuietHours != nil && *s.QuietHours != "" {
		if _, err := schedule.ParseDaily(*s.QuietHours); err != nil {
			return proto.SettingsChange{}, command.Usage("--quiet-hours: " + err.Error())
		}
	}
	if s.UpdateHours != nil && *s.UpdateHours != "" {
		if _, err := schedule.Parse(*s.UpdateHours); err != nil {
			return proto.SettingsChange{}, command.Usage("--update-hours: " + err.Error())
		}
		if len(*s.UpdateHours) > proto.MaxUpdateHours {
			return proto.SettingsChange{}, command.Usage(fmt.Sprintf("--update-hours takes at most %d characters", proto.MaxUpdateHours))
		}
	}
	return proto.SettingsChange{Name: s.Name, TimeZone: s.TimeZone, QuietHours: s.QuietHours, PrivacyOff: s.PrivacyOff, Talk: s.Talk, UpdateHours: s.UpdateHours, Push: s.Push}, nil
}

func settingsText(s proto.Settings) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		by := "as configured at the camera"
		if slices.Contains(s.Chosen, name) {
			by = "chosen by the household"
		}
		_, _ = fmt.Fprintln(w, columns(name, value, by)) // into memory
	}
	row("name", s.Name)
	row("time_zone", s.TimeZone)
	row("quiet_hours", cmp.Or(s.QuietHours, "none"))
	row("talk", s.Talk)
	row("privacy_off", s.PrivacyOff)
	row("update_hours", cmp.Or(s.UpdateHours, "any"))
	row("push", cmp.Or(s.Push, proto.PushOff)) // an older camera has none
	_ = w.Flush()
	return b.String() + privacyText(s.Privacy)
}
