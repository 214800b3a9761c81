package proto

import (
	"testing"
	"time"
)

func TestUpdateRequestIsValid(t *testing.T) {
	for _, c := range []struct {
		q    UpdateRequest
		want bool
	}{
		{UpdateRequest{Do: UpdateDoStatus}, true}, {UpdateRequest{Do: UpdateDoCheck}, true}, {UpdateRequest{Do: UpdateDoInstall}, true},
		{UpdateRequest{Do: UpdateDoPostpone}, true}, {UpdateRequest{Do: UpdateDoPostpone, Until: 1796295600}, true},
		{UpdateRequest{}, false}, {UpdateRequest{Do: "melt"}, false}, {UpdateRequest{Do: UpdateDoInstall, Until: 1}, false},
		{UpdateRequest{Do: UpdateDoPostpone, Until: -1}, false}, {UpdateRequest{Do: UpdateDoPostpone, Until: 1 << 53}, false},
	} {
		if c.q.Valid() != c.want {
			t.Errorf("%+v: %v", c.q, !c.want)
		}
		if looks := len(c.q.Scopes()) == 0; looks != (c.q.Do == UpdateDoStatus) {
			t.Errorf("%+v needs %v", c.q, c.q.Scopes())
		}
	}
}

func TestUpdateWords(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for want, s := range map[string]UpdateStatus{
		"version 1.2.0 will be installed": {State: UpdateAvailable, Offered: "1.2.0"},
		"version 1.2.0, which closes a security hole, will be installed, put off until 3 Dec 2026 12:00": {State: UpdateAvailable, Offered: "1.2.0", Security: true, Postponed: 1796295600},
		"version 1.2.0 is being downloaded, 7 %":                                                         {State: UpdateDownloading, Offered: "1.2.0", Percent: 7},
		"version 1.2.0 is being installed, 100 %":                                                        {State: UpdateInstalling, Offered: "1.2.0", Percent: 100},
		"version 1.2.0 is installed, and runs after the next start":                                      {State: UpdateInstalled, Offered: "1.2.0"},
		"the camera restarts into version 1.2.0":                                                         {State: UpdateRestarting, Offered: "1.2.0"},
		"version 1.2.0 runs, and has to prove itself":                                                    {State: UpdateTrial, Offered: "1.2.0"},
		"this camera gets no updates over the network":                                                   {State: UpdateOff},
		"there is none": {State: UpdateCurrent},
		"refused: Too few witnesses have signed.":                                  {State: UpdateRefused, Reason: "Too few witnesses have signed."},
		"version 1.2.0 failed, and is not tried again: its camera gave no picture": {State: UpdateFailed, Offered: "1.2.0", Reason: "its camera gave no picture"},
		`"melt", which this program does not know`:                                 {State: "melt"},
	} {
		if got := UpdateWords(s, berlin); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	rows := UpdateRows(UpdateStatus{State: UpdateAvailable, Version: "1.1.0", Offered: "1.2.0", Notes: "new", Latest: 1796295600, Checked: 1796295600}, berlin)
	if len(rows) != 5 || rows[3] != [2]string{"can wait", "until 3 Dec 2026 12:00"} {
		t.Errorf("%q", rows)
	}
}
