package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// pairCmd asks the running camd to open its pairing window.
type pairCmd struct {
	localFlags
	Window time.Duration `arg:"--window" help:"how long the window stays open" default:"5m" placeholder:"TIME"`
	Name   string        `arg:"--name" help:"the name that the household will see for the new owner" default:"owner"`
}

// Run opens the window.
func (p pairCmd) Run(env *environment) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if _, err := ask(cfg.Device.Socket, adminRequest{Cmd: "pair", WindowSeconds: int(p.Window.Seconds()), Name: p.Name}); err != nil {
		return err
	}
	until := time.Now().Add(p.Window)
	a, err := ask(cfg.Device.Socket, adminRequest{Cmd: "status"})
	if err != nil {
		return err
	}
	flags, why := "", ""
	if slices.ContainsFunc(a.Status.Conditions, func(c proto.Condition) bool { return strings.HasSuffix(c.Reason, notSetUp) }) {
		flags = " --broker mqtts://HOST:8883 --viewer-broker mqtts://HOST:8884 --ca DIR"
		why = "The camera is not set up yet, so it needs to know its broker, and DIR is the folder of camctl ca init. Where an operator has signed for the camera, --broker-ca names the certificate of the broker's authority instead of --ca.\n"
	}
	if _, err = fmt.Fprintf(env.out, "The pairing window is open until %s. Pair with: camctl pair --socket %s --label 'CAMD:1?...'%s\n%s", until.Format(time.TimeOnly), cfg.Device.Socket, flags, why); err != nil {
		return err
	}
	members, err := ask(cfg.Device.Socket, adminRequest{Cmd: "members"})
	if err != nil || len(members.Members) == 0 {
		return err
	}
	_, err = fmt.Fprintf(env.out, "The camera has an owner already: only keys that are members can pair again, under the names that they have. Everyone else has to be added by an owner, with camctl grant; camd evict removes everyone first.\n")
	return err
}

type membersCmd struct {
	localFlags
	jsonFlag
}

// Run prints the members.
func (c membersCmd) Run(env *environment) error {
	a, err := c.ask(adminRequest{Cmd: "members"})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.out).Encode(a.Members)
	}
	if len(a.Members) == 0 {
		_, err := fmt.Fprintln(env.out, "Nobody is paired. Open the pairing window with camd pair.")
		return err
	}
	loc, err := c.zone()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	names := map[proto.ClientID]string{}
	for _, m := range a.Members {
		names[m.Client] = m.Name
	}
	for _, m := range a.Members {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Name, m.Role, list(m.Scopes), strings.Join(about(m, names, loc), "; "))
	}
	return w.Flush()
}

// about says what else a person wants to know of a member.
func about(m proto.Member, names map[proto.ClientID]string, loc *time.Location) (l []string) {
	clock := func(unix int64) string { return time.Unix(unix, 0).In(loc).Format(time.DateTime) }
	if m.Weekly != "" {
		l = append(l, m.Weekly)
	}
	if m.From != 0 {
		l = append(l, "from "+clock(m.From))
	}
	if m.Until != 0 {
		l = append(l, "until "+clock(m.Until))
	}
	if m.Parent != "" {
		l = append(l, "guest of "+names[m.Parent])
	}
	if m.Standing != proto.CodeOK {
		l = append(l, "no access now: "+m.Standing.Sentence())
	}
	if len(m.Watching) > 0 {
		l = append(l, "NOW: "+list(m.Watching))
	}
	return l
}

func list(scopes []proto.Scope) string {
	l := make([]string, len(scopes))
	for i, s := range scopes {
		l[i] = string(s)
	}
	return strings.Join(l, ", ")
}

type logCmd struct {
	localFlags
	jsonFlag
	From  uint64 `arg:"--from" help:"number of the first entry to print" default:"0" placeholder:"N"`
	Epoch uint64 `arg:"--epoch" help:"read the log of an earlier household, such as 1; 0 is the present one" default:"0" placeholder:"N"`
}

// Run prints the log page by page.
func (c logCmd) Run(env *environment) error {
	loc, err := c.zone()
	if err != nil {
		return err
	}
	for from := c.From; ; {
		a, err := c.ask(adminRequest{Cmd: "log", Epoch: c.Epoch, From: from})
		if err != nil {
			return err
		}
		for _, r := range a.Log.Records {
			if c.JSON {
				if err := json.NewEncoder(env.out).Encode(r); err != nil {
					return err
				}
				continue
			}
			line := "its text was dropped"
			if e, err := accesslog.Parse([]byte(r.Text)); err == nil {
				line = time.UnixMilli(e.Time).In(loc).Format(time.DateTime) + "  " + accesslog.Sentence(e, loc)
			}
			if _, err := fmt.Fprintf(env.out, "%6d  %s\n", r.Index, line); err != nil {
				return err
			}
		}
		if from = a.Log.Next; from == 0 {
			return nil
		}
	}
}

type privacyCmd struct {
	localFlags
	To string `arg:"positional,required" help:"on or off" placeholder:"on|off"`
}

// Run switches privacy mode.
func (c privacyCmd) Run(env *environment) error {
	on := c.To == "on"
	if !on && c.To != "off" {
		return &codedError{2, fmt.Errorf("privacy is on or off, not %q", c.To)}
	}
	if _, err := c.ask(adminRequest{Cmd: "privacy", On: &on}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, map[bool]string{
		true:  "Privacy mode is on: camera and microphone are closed.",
		false: "Privacy mode is off: members can see and hear again.",
	}[on])
	return err
}

type settingsCmd struct {
	localFlags
	jsonFlag
	Name        *string `arg:"--name" help:"what members see as this camera's name"`
	TimeZone    *string `arg:"--time-zone" help:"time zone of schedules and quiet hours, such as Europe/Berlin" placeholder:"ZONE"`
	QuietHours  *string `arg:"--quiet-hours" help:"when nobody may speak through the camera, such as 22:00-07:00; empty is never" placeholder:"TIMES"`
	Talk        *string `arg:"--talk" help:"announced, or accepted: someone in the room has to press the button first" placeholder:"HOW"`
	UpdateHours *string `arg:"--update-hours" help:"when the camera may restart for an update by itself, such as 'Mo-Fr 02:00-05:00'; empty is whenever nobody watches" placeholder:"TIMES"`
	PrivacyOff  *string `arg:"--privacy-off" help:"who may switch privacy mode off: device or members" placeholder:"WHO"`
	Push        *string `arg:"--push" help:"on has the camera send sealed notices to browsers through their push services; off" placeholder:"HOW"`
}

// Run changes what was named, and prints.
func (c settingsCmd) Run(env *environment) error {
	q := adminRequest{Cmd: "settings"}
	if set := (proto.SettingsChange{Name: c.Name, TimeZone: c.TimeZone, QuietHours: c.QuietHours, PrivacyOff: c.PrivacyOff, Talk: c.Talk, UpdateHours: c.UpdateHours, Push: c.Push}); set != (proto.SettingsChange{}) {
		q.Set = &set
	}
	a, err := c.ask(q)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.out).Encode(a.Settings)
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	for _, line := range settingLines(*a.Settings) {
		fmt.Fprintln(w, line)
	}
	if (given(c.QuietHours) || given(c.UpdateHours)) && a.Settings.TimeZone == "UTC" {
		fmt.Fprintln(w, "These hours count in UTC, the household's time zone until another one is chosen, such as by camd settings --time-zone Europe/Berlin.")
	}
	return w.Flush()
}

// given reports whether an option sets something.
func given(s *string) bool { return s != nil && *s != "" }

// settingLines shows each setting with which rules: the household's choice, or the
// configuration.
func settingLines(s proto.Settings) (l []string) {
	for _, f := range [][2]string{{"name", s.Name}, {"time_zone", s.TimeZone}, {"privacy_off", s.PrivacyOff}, {"quiet_hours", s.QuietHours}, {"talk", s.Talk}, {"update_hours", s.UpdateHours}, {"push", s.Push}} {
		by := "configuration"
		for _, chosen := range s.Chosen {
			if chosen == f[0] {
				by = "household"
			}
		}
		l = append(l, f[0]+"\t"+f[1]+"\t"+by)
	}
	return append(l, fmt.Sprintf("privacy\t%s\t", map[bool]string{true: "on", false: "off"}[s.Privacy]))
}
