package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
)

// localCmd is shared by the commands that print what the running camd says.
type localCmd struct {
	configFlag
	JSON bool `arg:"--json" help:"print JSON"`
}

// do asks the running camd.
func (l localCmd) do(q adminRequest) (adminAnswer, error) {
	cfg, err := l.load()
	if err != nil {
		return adminAnswer{}, err
	}
	return ask(cfg.Device.Socket, q)
}

// zone is the household's time zone, in which times are printed.
func (l localCmd) zone() (*time.Location, error) {
	a, err := l.do(adminRequest{Cmd: "settings"})
	if err != nil {
		return nil, err
	}
	loc, err := schedule.Zone(a.Settings.TimeZone)
	if err != nil { // camd counts in UTC then
		return time.UTC, nil //nolint:nilerr // there is a zone to show times in
	}
	return loc, nil
}

type membersCmd struct{ localCmd }

// Run prints the members.
func (c membersCmd) Run(env *environment) error {
	a, err := c.do(adminRequest{Cmd: "members"})
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
		l = append(l, "rests now: "+m.Standing.Sentence())
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
	localCmd
	From  uint64 `arg:"--from" help:"number of the first entry to print" default:"0" placeholder:"N"`
	Epoch uint64 `arg:"--epoch" help:"read the log of an earlier household, such as 1; 0 is that of now" default:"0" placeholder:"N"`
}

// Run prints the log page by page.
func (c logCmd) Run(env *environment) error {
	loc, err := c.zone()
	if err != nil {
		return err
	}
	for from := c.From; ; {
		a, err := c.do(adminRequest{Cmd: "log", Epoch: c.Epoch, From: from})
		if err != nil {
			return err
		}
		for _, r := range a.Log.Records {
			if err := c.print(env.out, r, loc); err != nil {
				return err
			}
		}
		if from = a.Log.Next; from == 0 {
			return nil
		}
	}
}

func (c logCmd) print(out io.Writer, r proto.LogRecord, loc *time.Location) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(r)
	}
	line := "its text was dropped"
	if e, err := accesslog.Parse([]byte(r.Text)); err == nil {
		line = time.UnixMilli(e.Time).In(loc).Format(time.DateTime) + "  " + accesslog.Sentence(e, loc)
	}
	_, err := fmt.Fprintf(out, "%6d  %s\n", r.Index, line)
	return err
}

type privacyCmd struct {
	configFlag
	To string `arg:"positional,required" help:"on or off" placeholder:"on|off"`
}

// Run switches privacy mode.
func (c privacyCmd) Run(env *environment) error {
	on := c.To == "on"
	if !on && c.To != "off" {
		return &codedError{2, fmt.Errorf("privacy is on or off, not %q", c.To)}
	}
	if _, err := (localCmd{configFlag: c.configFlag}).do(adminRequest{Cmd: "privacy", On: &on}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.out, map[bool]string{
		true:  "Privacy mode is on: camera and microphone are closed.",
		false: "Privacy mode is off: members can see and hear again.",
	}[on])
	return err
}

type settingsCmd struct {
	localCmd
	Name        *string `arg:"--name" help:"what members see as this camera's name"`
	TimeZone    *string `arg:"--time-zone" help:"time zone of schedules and quiet hours, such as Europe/Berlin" placeholder:"ZONE"`
	QuietHours  *string `arg:"--quiet-hours" help:"when nobody may speak through the camera, such as 22:00-07:00; empty is never" placeholder:"TIMES"`
	Talk        *string `arg:"--talk" help:"announced, or accepted: someone in the room has to press the button first" placeholder:"HOW"`
	UpdateHours *string `arg:"--update-hours" help:"when the camera may restart for an update by itself, such as 'Mo-Fr 02:00-05:00'; empty is whenever nobody watches" placeholder:"TIMES"`
	PrivacyOff  *string `arg:"--privacy-off" help:"who may switch privacy mode off: device or members" placeholder:"WHO"`
}

// Run changes what was named, and prints.
func (c settingsCmd) Run(env *environment) error {
	q := adminRequest{Cmd: "settings"}
	if set := (proto.SettingsChange{Name: c.Name, TimeZone: c.TimeZone, QuietHours: c.QuietHours, PrivacyOff: c.PrivacyOff, Talk: c.Talk, UpdateHours: c.UpdateHours}); set != (proto.SettingsChange{}) {
		q.Set = &set
	}
	a, err := c.do(q)
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

// given tells of an option that sets something.
func given(s *string) bool { return s != nil && *s != "" }

// settingLines shows each setting with which rules: the household's choice, or the
// configuration.
func settingLines(s proto.Settings) (l []string) {
	for _, f := range [][2]string{{"name", s.Name}, {"time_zone", s.TimeZone}, {"privacy_off", s.PrivacyOff}, {"quiet_hours", s.QuietHours}, {"talk", s.Talk}, {"update_hours", s.UpdateHours}} {
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

type endCmd struct {
	configFlag
	Yes bool `arg:"--yes" help:"do not ask"`
}

type evictCmd struct{ endCmd }

// Run removes everyone.
func (c evictCmd) Run(env *environment) error {
	return c.end(env, "evict", "This removes everyone from the camera: owners, adults and guests. Broker and settings stay.")
}

type resetCmd struct{ endCmd }

// Run removes everyone and wipes the storage.
func (c resetCmd) Run(env *environment) error {
	return c.end(env, "reset", "This removes everyone and wipes members, settings and the access log.")
}

func (c endCmd) end(env *environment, cmd, what string) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	fmt.Fprintln(env.out, what)
	if !c.Yes && !typed(env, cmd) {
		return errors.New("nothing was done")
	}
	conn, err := net.DialTimeout("unix", cfg.Device.Socket, adminPatience)
	if err != nil {
		return explainDial(cfg.Device.Socket, err)
	}
	defer conn.Close()                                          //nolint:errcheck // nothing to lose
	defer context.AfterFunc(env.ctx, func() { conn.Close() })() //nolint:errcheck // nothing to lose
	return follow(env, conn, adminRequest{Cmd: cmd})
}

// typed asks for a word and reports whether it was typed.
func typed(env *environment, word string) bool {
	fmt.Fprintf(env.out, "Type %s to go on: ", word)
	line, err := bufio.NewReader(io.LimitReader(env.in, 64)).ReadString('\n')
	return err == nil && strings.TrimSpace(line) == word
}

// follow prints the countdown. Ctrl-C closes the connection, which cancels it.
func follow(env *environment, conn net.Conn, q adminRequest) error {
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return errors.New("camd hung up; look at its log")
	}
	answers := json.NewDecoder(conn)
	for {
		var a adminAnswer
		switch err := answers.Decode(&a); {
		case env.ctx.Err() != nil:
			return errors.New("cancelled: nothing was done")
		case err != nil:
			return errors.New("camd hung up; look at its log")
		case !a.OK:
			return errors.New(a.Error)
		case a.Seconds == 0:
			_, err := fmt.Fprintln(env.out, "Done. The camera belongs to nobody now. Pair an owner with camd pair.\nThe logins at the broker are another matter: have its operator end them, with camops pki remove.")
			return err
		}
		fmt.Fprintf(env.out, "in %d s (Ctrl-C stops it)\n", a.Seconds)
	}
}
