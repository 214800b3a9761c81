package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Household is the [household] table: what holds until the household chooses.
type Household struct {
	TimeZone    string   `toml:"time_zone" doc:"Time zone of schedules and quiet hours, such as Europe/Berlin."`
	PrivacyOff  string   `toml:"privacy_off" allow:"device|members" doc:"Who may switch privacy mode off: only someone at the device, or also members with the scope settings."`
	QuietHours  string   `toml:"quiet_hours" doc:"When nobody may speak through the camera, such as 22:00-07:00. Empty: never."`
	Talk        string   `toml:"talk" allow:"announced|accepted" doc:"When a voice may be heard in the room: announced, after chime and notice, or accepted, after someone in the room has pressed the button, for a kids' room."`
	UpdateHours string   `toml:"update_hours" doc:"When the camera may restart for an update by itself, each week, such as Mo-Fr 02:00-05:00. Empty: whenever nobody watches."`
	Fixed       []string `toml:"fixed" doc:"Settings that the household can't change: name, time_zone, privacy_off, quiet_hours, talk, update_hours, push."`
	Clock       string   `toml:"clock" allow:"ntp|battery" doc:"What makes the clock trusted: ntp asks the kernel whether it is synchronised, battery says that the board's clock always runs."`
}

// DefaultHousehold returns the settings that are not in the file.
func DefaultHousehold() Household {
	return Household{TimeZone: "UTC", PrivacyOff: proto.PrivacyOffDevice, Talk: proto.TalkAnnounced, Fixed: []string{}, Clock: "ntp"}
}

// Check returns an error for values that a household can't have.
func (h Household) Check() error {
	if _, err := schedule.Zone(h.TimeZone); err != nil {
		return fmt.Errorf("time_zone: %w", err)
	}
	if quietHours(h.QuietHours) != proto.CodeOK {
		return fmt.Errorf("quiet_hours: %w", schedule.ErrDaily)
	}
	if updateHours(h.UpdateHours) != proto.CodeOK {
		return fmt.Errorf("update_hours: %w, in at most %d bytes", schedule.ErrWeekly, proto.MaxUpdateHours)
	}
	for _, name := range h.Fixed {
		if !slices.Contains(settingNames, name) {
			return fmt.Errorf("fixed: there is no setting %q", name)
		}
	}
	return nil
}

var settingNames = []string{"name", "time_zone", "privacy_off", "quiet_hours", "talk", "update_hours", "push"}

// unless returns CodeOK if ok, else c.
func unless(ok bool, c proto.Code) proto.Code {
	if ok {
		return proto.CodeOK
	}
	return c
}

// quietHours returns whether s can be the hours of silence, or why not.
func quietHours(s string) proto.Code {
	if s == "" {
		return proto.CodeOK
	}
	_, err := schedule.ParseDaily(s)
	return unless(err == nil, proto.CodeBadRequest)
}

// updateHours returns whether s can be the hours of updates, or why not.
func updateHours(s string) proto.Code {
	if s == "" {
		return proto.CodeOK
	}
	_, err := schedule.Parse(s)
	return unless(err == nil && len(s) <= proto.MaxUpdateHours, proto.CodeBadRequest)
}

// choices is what the household chose, as trust.db has it. For a nil field the configuration
// holds. docs/protocol.md 5.11, 11.2.
type choices struct {
	proto.SettingsChange
	Privacy bool `json:"privacy,omitempty"`
}

var chosen = store.Sealed("settings")

const keyChosen = "household"

func readChoices(db *store.DB) (choices, error) {
	var c choices
	err := db.View(func(tx *store.Tx) error {
		v, err := chosen.Get(tx, keyChosen)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil && json.Unmarshal(v, &c) != nil {
			err = fmt.Errorf("%w: settings", store.ErrDamaged)
		}
		return err
	})
	if err != nil {
		return choices{}, fmt.Errorf("load settings: %w", err)
	}
	return c, nil
}

func (c choices) put(tx *store.Tx) error {
	v, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return chosen.Put(tx, keyChosen, v)
}
