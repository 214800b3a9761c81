package main

import (
	"regexp"
	"syscall"
	"testing"

	"github.com/camd-project/camd/test/rig"
)

// A check while camd does not run must not open the eye that somebody closed.
func TestCheckLeavesTheCameraClosedInPrivacyMode(t *testing.T) {
	r := rig.New(t, "[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"off\"\n")
	config := r.Dir + "/camd.toml"
	check := func(want string) {
		t.Helper()
		out, _ := r.Run("check", "--config", config) // exits with 1: the broker is away
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("check prints\n%s, want %q", out, want)
		}
	}
	check(`pictures +ok +they come as configured`)
	r.Start()
	if out, err := r.Run("privacy", "on", "--config", config); err != nil {
		t.Fatalf("privacy on: %v\n%s", err, out)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	check(`pictures +ok +not tried, since privacy mode is on`)
}
