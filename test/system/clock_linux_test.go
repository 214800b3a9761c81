package system

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/rig"
)

// TestHoursNeedAClock: who gives somebody hours learns at once that the camera can't go by
// them, where nothing vouches for its clock.
func TestHoursNeedAClock(t *testing.T) {
	for clock, warned := range map[string]bool{"ntp": !synchronised(t), "battery": false} {
		r := rig.NewBare(t, synthetic+fmt.Sprintf("[household]\nclock = %q\n", clock))
		r.Start()
		r.OpenWindow("Anna")
		anna, cara := newOwner(t), newOwner(t)
		anna.run("pair", "--socket", r.Socket, "--label", r.Label.Text(), "--broker", r.URL(), "--ca", r.PKI)
		r.Online()
		key := cara.run("id")
		key = key[strings.Index(key, "CAMD-KEY:"):]
		for _, hours := range [][]string{nil, {"--weekly", "Mo-Su 00:00-24:00"}} {
			out := anna.run(append([]string{"grant", "--to", key, "--name", "Cara", "--yes"}, hours...)...)
			if said := strings.Contains(out, "can't tell yet what time it is"); said != (warned && hours != nil) {
				t.Errorf("clock %s, hours %q:\n%s", clock, hours, out)
			}
		}
	}
}

// synchronised reports whether a time server disciplines this machine's clock.
func synchronised(t *testing.T) bool {
	t.Helper()
	var x unix.Timex
	state, err := unix.Adjtimex(&x)
	if err != nil {
		t.Fatal(err)
	}
	return state != unix.TIME_ERROR && x.Status&unix.STA_UNSYNC == 0
}
