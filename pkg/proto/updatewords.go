package proto

import (
	"fmt"
	"time"
)

// UpdateWords says for people how an update stands, in one line; points in time are shown
// in loc. What the camera, or the maker of a release, wrote in it is as it came.
func UpdateWords(s UpdateStatus, loc *time.Location) string {
	text := updateState(s)
	if s.Postponed != 0 && (s.State == UpdateAvailable || s.State == UpdateInstalled) {
		text += ", put off until " + minute(s.Postponed, loc)
	}
	if s.Reason != "" {
		return text + ": " + s.Reason
	}
	return text
}

func minute(unix int64, loc *time.Location) string {
	return time.Unix(unix, 0).In(loc).Format("2 Jan 2006 15:04")
}

// UpdateRows says all of it, by rows of a name and a text.
func UpdateRows(s UpdateStatus, loc *time.Location) [][2]string {
	rows := [][2]string{{"version", s.Version}, {"update", UpdateWords(s, loc)}}
	if s.Notes != "" {
		rows = append(rows, [2]string{"notes", s.Notes})
	}
	if s.Latest != 0 {
		rows = append(rows, [2]string{"can wait", "until " + minute(s.Latest, loc)})
	}
	if s.Checked != 0 {
		rows = append(rows, [2]string{"looked", "at the update server on " + minute(s.Checked, loc)})
	}
	return rows
}

func updateState(s UpdateStatus) string {
	offered := "version " + s.Offered
	if s.Security {
		offered += ", which closes a security hole,"
	}
	switch s.State {
	case UpdateAvailable:
		return offered + " will be installed"
	case UpdateDownloading:
		return fmt.Sprintf("%s is being downloaded, %d %%", offered, s.Percent)
	case UpdateInstalling:
		return fmt.Sprintf("%s is being installed, %d %%", offered, s.Percent)
	case UpdateInstalled:
		return offered + " is installed, and runs after the next start"
	case UpdateRestarting:
		return "the camera restarts into " + offered
	case UpdateTrial:
		return offered + " runs, and has to prove itself"
	case UpdateOff:
		return "this camera gets no updates over the network"
	case UpdateCurrent:
		return "there is none"
	case UpdateRefused:
		return "refused"
	case UpdateFailed:
		return offered + " failed, and is not tried again"
	}
	return fmt.Sprintf("%q, which this program does not know", string(s.State))
}
