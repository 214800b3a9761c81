package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// What others wrote stays in its line of what camd prints, acts on no terminal, and has
// an end.
func TestWhatOthersWroteStaysInItsPlace(t *testing.T) {
	evil := "x\x1b[31m\u009b\u202e\u2028\xff\r\ny\tok\t" + strings.Repeat("\x1b", 50_000)
	for what, c := range map[string]struct {
		lines int
		print func(out *bytes.Buffer)
	}{
		"an error": {1, func(out *bytes.Buffer) {
			exitCode(errors.New(evil), foreign.Screen(out))
		}},
		"check": {1, func(out *bytes.Buffer) {
			r := &report{w: tabwriter.NewWriter(foreign.Screen(out), 0, 0, 2, ' ', 0)}
			r.fail("camera", evil)
			_ = r.w.Flush() // into memory
		}},
		"status": {5, func(out *bytes.Buffer) {
			_ = printStatus(foreign.Screen(out), &proto.StatusAnswer{Device: "d", Name: evil, Version: "v", Identity: "C1", // into memory
				Conditions: []proto.Condition{{Name: evil, State: "ok", Reason: evil}}, Sessions: []proto.Viewer{{Name: evil}}})
		}},
	} {
		var out bytes.Buffer
		c.print(&out)
		text := out.String()
		if n := strings.Count(text, "\n"); n != c.lines || strings.ContainsAny(text, "\x1b\u009b\r\u202e\u2028") || !utf8.ValidString(text) || len(text) > 16<<10 {
			t.Errorf("%s: %d lines, %d bytes: %.300q", what, n, len(text), text)
		}
	}
}
